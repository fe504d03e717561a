"""What an input may open beside itself: lists stay in their folder, addresses open no file."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from support.films import Making, make_film

from edge_sr.errors import InputError, MediaError, OptionError
from edge_sr.video.film.film import Film
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.sources import SourcePlan
from edge_sr.video.protocols import opening_options, parse_protocols

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-MEDIA-SEQUENCE:0\n{}\n#EXT-X-ENDLIST\n"
VARIANTS = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``mine`` for lists with a film in it, beside a ``secret.ts`` that no list may reach."""
    place = tmp_path_factory.mktemp("protocols")
    (place / "mine" / "part").mkdir(parents=True)
    make_film(place / "secret.ts", Making(frames=5))
    shutil.copy(place / "secret.ts", place / "mine" / "own.ts")
    shutil.copy(place / "secret.ts", place / "mine" / "part" / "own.ts")
    (place / "mine" / "link.ts").symlink_to(place / "secret.ts")
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    serving = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(place / "mine"))
    )
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


def frames(name: object, *allowed: str) -> int:
    with Film(str(name), protocols=allowed) as film:
        return sum(1 for _ in film.frames())


def live(name: object, *allowed: str) -> None:
    SourcePlan(parse_address(str(name)), None, frozenset(allowed)).open(threading.Event()).close()


def written(place: Path, name: str, text: str) -> Path:
    (place / "mine" / name).write_text(text)
    return place / "mine" / name


@pytest.mark.parametrize("name", ["own.ts", "part/own.ts"])
def test_a_playlist_opens_files_of_its_folder(place: Path, name: str) -> None:
    playlist = written(place, "good.m3u8", PLAYLIST.format(f"#EXTINF:1,\n{name}"))
    assert frames(playlist) == 5
    live(playlist)
    assert frames(written(place, "outer.m3u8", VARIANTS.format("good.m3u8"))) == 5
    assert frames(written(place, "good.ffconcat", f"ffconcat version 1.0\nfile {name}\n")) == 5


@pytest.mark.parametrize(
    "line",
    [
        "#EXTINF:1,\n{place}/secret.ts",
        "#EXTINF:1,\n../secret.ts",
        "#EXTINF:1,\npart/../../secret.ts",
        "#EXTINF:1,\nfile://{place}/secret.ts",
        "#EXTINF:1,\nfile:{place}/secret.ts",
        "#EXTINF:1,\nconcat:{place}/secret.ts",
        "#EXTINF:1,\nsubfile,,start,0,end,0,,:{place}/secret.ts",
        "#EXTINF:1,\nhttp://127.0.0.1:1/own.ts",
        "#EXTINF:1,\nlink.ts",
        '#EXT-X-KEY:METHOD=AES-128,URI="{place}/secret.ts"\n#EXTINF:1,\nown.ts',
        "#EXT-X-MAP:URI={place}/secret.ts\n#EXTINF:1,\nown.ts",
        '#EXT-X-MAP:URI="part\\/../../secret.ts"\n#EXTINF:1,\nown.ts',
        "#EXTINF:1,\n" + "x" * 5000,
    ],
)
def test_a_playlist_that_leaves_its_folder_is_refused(place: Path, line: str) -> None:
    text = line.replace("{place}", str(place))
    inner = written(place, "inner.m3u8", PLAYLIST.format(text))
    for playlist in (inner, written(place, "outer.m3u8", VARIANTS.format("inner.m3u8"))):
        for opened in (frames, live):
            with pytest.raises(MediaError, match="--allow-protocols"):
                opened(playlist)


def test_file_lifts_the_folders_limit(place: Path) -> None:
    playlist = written(place, "far.m3u8", PLAYLIST.format(f"#EXTINF:1,\n{place}/secret.ts"))
    assert frames(playlist, "file") == 5
    assert frames(playlist, "all") == 5
    live(playlist, "file")


@pytest.mark.parametrize("name", ["../secret.ts", "{place}/secret.ts", "file:{place}/secret.ts", "far.m3u8"])
def test_a_concat_list_that_leaves_its_folder_is_refused(place: Path, name: str) -> None:
    written(place, "far.m3u8", PLAYLIST.format(f"#EXTINF:1,\n{place}/secret.ts"))
    text = f"ffconcat version 1.0\nfile '{name.replace('{place}', str(place))}'\n"
    for opened in (frames, live):
        with pytest.raises(MediaError):
            opened(written(place, "list.ffconcat", text))


def test_dash_and_sdp_are_refused_by_name(place: Path) -> None:
    dash = (
        '<?xml version="1.0"?><MPD type="static"><Period><AdaptationSet mimeType="video/mp2t">'
        f"<Representation id='1' bandwidth='1'><BaseURL>{place}/secret.ts</BaseURL>"
        "</Representation></AdaptationSet></Period></MPD>"
    )
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n"
    for name, text in (("x.mpd", dash), ("x.sdp", sdp), ("x.mp4", dash)):
        with pytest.raises(MediaError, match="list that names"):
            frames(written(place, name, text))


def test_what_an_id3_tag_hides_is_no_playlist_either(place: Path) -> None:
    text = PLAYLIST.format(f"#EXTINF:1,\n{place}/secret.ts").encode()
    path = place / "mine" / "tagged.m3u8"
    path.write_bytes(b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10) + text)
    with pytest.raises(MediaError):
        frames(path)


@pytest.mark.parametrize("name", ["file://{place}/secret.ts", "concat:{place}/secret.ts", "pipe:0"])
def test_an_address_opens_no_file(place: Path, server: str, name: str) -> None:
    playlist = PLAYLIST.format("#EXTINF:1,\n" + name.replace("{place}", str(place)))
    written(place, "served.m3u8", playlist)
    for opened in (frames, live):
        with pytest.raises(InputError):
            opened(f"{server}/served.m3u8")


def test_an_address_opens_addresses(place: Path, server: str) -> None:
    written(place, "served.m3u8", PLAYLIST.format("#EXTINF:1,\nown.ts"))
    assert frames(f"{server}/served.m3u8") == 5
    assert frames(f"{server}/own.ts") == 5
    live(f"{server}/served.m3u8")


def test_numbered_pictures_and_plain_files_open_as_before(place: Path) -> None:
    for number in range(3):
        frame = av.VideoFrame(32, 16, "rgb24")
        frame.to_image().save(place / "mine" / f"n{number:02}.png")
    assert frames(place / "mine" / "n%02d.png") == 3
    assert frames(place / "mine" / "own.ts") == 5


def test_protocols_are_named() -> None:
    assert parse_protocols(None) == frozenset()
    assert parse_protocols("file, HTTP") == {"file", "http"}
    for text in ("", "file,", "../x", "a b"):
        with pytest.raises(OptionError, match="--allow-protocols"):
            parse_protocols(text)
    assert opening_options("x", "http", {"all"}) == {}
    assert "file" not in opening_options("x", "https")["protocol_whitelist"].split(",")
    assert "pipe" in opening_options("-", "pipe")["protocol_whitelist"].split(",")
