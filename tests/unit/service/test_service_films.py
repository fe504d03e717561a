"""Films through the service: as they are made, their other tracks, and what is told before the first byte."""

from __future__ import annotations

import asyncio
import io
import socket
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("prometheus_client")

from PIL import Image, features
from support.films import Making, make_film, moving_picture, packets
from support.service import expected, run, served, until

from edge_sr.integrations.service import sending, upscaling
from edge_sr.integrations.service.settings import ServiceLimits


def frames_of(data: bytes | Path) -> list[Any]:
    with av.open(io.BytesIO(data) if isinstance(data, bytes) else str(data)) as container:
        return [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_a_film_streams_back_as_it_is_made(container: str, tmp_path: Path) -> None:
    """It comes in pieces while it is still under way, and equals the file that upscale writes."""
    making = Making(
        frames=75,
        audio=("eng", "deu"),
        subtitles=(("words", 0, 900), ("more", 2000, 2900)),
        metadata={"title": "A film"},
    )
    source = make_film(tmp_path / "film.mkv", making)
    wanted = expected(source, tmp_path / f"wanted.{container}", segment_frames=25)

    async def work() -> None:
        async with served() as there:
            query = {"scale": "2.5", "format": container}
            async with there.session.post("/upscale", params=query, data=source.read_bytes()) as answer:
                assert answer.status == 200
                first = await answer.content.readany()
                assert (await there.get("/healthz"))["working"] == 1
                found = first + await answer.read()
        with av.open(io.BytesIO(found)) as film, av.open(str(wanted)) as file:
            assert [stream.type for stream in film.streams if stream.type != "data"] == [
                stream.type for stream in file.streams if stream.type != "data"
            ]
            assert [s.codec_context.name for s in film.streams.audio] == [
                s.codec_context.name for s in file.streams.audio
            ]
            assert film.metadata["title"] == "A film"
        ours, theirs = frames_of(found), frames_of(wanted)
        assert len(ours) == len(theirs) == 75
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))

    run(work)


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_the_sound_of_a_transport_stream_comes_along(container: str, tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.ts", Making(frames=50, audio=("eng",)))
    wanted = expected(source, tmp_path / f"wanted.{container}")

    async def work() -> None:
        async with served() as there:
            status, headers, found = await there.upscale(source.read_bytes(), scale="2.5", format=container)
        assert (status, "Edge-SR-Dropped" in headers) == (200, False)
        (tmp_path / f"found.{container}").write_bytes(found)

    run(work)
    ours, theirs = packets(tmp_path / f"found.{container}", "audio"), packets(wanted, "audio")
    assert len(ours) == 1 and len(ours[0]) > 30 and ours == theirs


def test_sound_that_a_stream_cannot_hold_as_it_is_comes_in_another_form(tmp_path: Path) -> None:
    """AAC that nothing describes: a Matroska file could hold it, a stream of Matroska cannot."""
    whole = make_film(tmp_path / "film.mp4", Making(frames=50, audio=("eng",)))
    source = tmp_path / "film.nut"
    with av.open(str(whole)) as film, av.open(str(source), "w") as bare:
        twins = [bare.add_stream_from_template(stream, opaque=True) for stream in film.streams]
        twins[1].codec_context.extradata = None
        for packet in film.demux():
            if packet.size:
                packet.stream = twins[packet.stream_index]
                bare.mux(packet)

    async def work() -> None:
        async with served() as there:
            status, headers, found = await there.upscale(source.read_bytes(), scale=2, format="mkv")
        assert status == 200 and "Edge-SR-Dropped" not in headers
        with av.open(io.BytesIO(found)) as film:
            assert sum(frame.samples for frame in film.decode(audio=0)) > 30_000

    run(work)


@pytest.mark.parametrize(("container", "kept"), [("mkv", True), ("mp4", False)])
def test_a_cover_that_fragments_cannot_hold_is_named(container: str, kept: bool, tmp_path: Path) -> None:
    """FFmpeg would write an empty track without a codec beside it."""
    cover = io.BytesIO()
    Image.fromarray(moving_picture((48, 32), 7)).save(cover, "JPEG")
    making = Making(attachments=(("cover.jpg", "image/jpeg", cover.getvalue()),))
    source = make_film(tmp_path / "film.mkv", making)

    async def work() -> None:
        async with served() as there:
            status, headers, found = await there.upscale(source.read_bytes(), scale=2, format=container)
        assert (status, headers.get("Edge-SR-Dropped")) == (
            200,
            None if kept else "cover track 1 (mjpeg, cover.jpg)",
        )
        with av.open(io.BytesIO(found)) as film:
            assert len(film.streams) == 1 + kept

    run(work)


@pytest.mark.parametrize(
    ("suffix", "query", "kind"),
    [
        (".mov", {}, "video/quicktime"),
        (".webm", {}, "video/webm"),
        (".mp4", {}, "video/mp4"),
        (".mp4", {"codec": "ffv1"}, "video/x-matroska"),
        (".avi", {}, "video/x-matroska"),
    ],
)
def test_a_film_comes_back_in_its_own_container(
    tmp_path: Path, suffix: str, query: dict[str, str], kind: str
) -> None:
    """As ``upscale`` names it by the input's name, which an upload lacks."""
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    source = make_film(tmp_path / f"film{suffix}", Making(frames=2, codec=codec))

    async def work() -> None:
        async with served() as there:
            status, headers, found = await there.upscale(source.read_bytes(), scale=2, **query)
        assert (status, headers["Content-Type"]) == (200, kind), found
        assert len(frames_of(found)) == 2

    run(work)


@pytest.mark.parametrize("first", [b"free", b"skip", b"wide"])
def test_a_mov_of_before_its_type_was_said_is_one(tmp_path: Path, first: bytes) -> None:
    film = make_film(tmp_path / "film.mov", Making(frames=2)).read_bytes().replace(b"ftyp", first, 1)

    async def work() -> None:
        async with served() as there:
            status, headers, found = await there.upscale(film, scale=2)
        assert (status, headers["Content-Type"]) == (200, "video/quicktime"), found

    run(work)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({}, "video/x-matroska"),
        ({"codec": "svt-av1"}, "video/webm"),
        ({"tonemap": "true"}, "video/webm"),
    ],
)
def test_hdr_in_webm_comes_back_in_matroska_where_no_codec_keeps_it_in_webm(
    tmp_path: Path, query: dict[str, str], kind: str
) -> None:
    making = Making(frames=2, codec="libsvtav1", pixel_format="yuv420p10le", colours=(9, 1, 9, 16))
    source = make_film(tmp_path / "film.webm", making)

    async def work() -> None:
        async with served() as there:
            status, headers, found = await there.upscale(source.read_bytes(), scale=2, **query)
        assert (status, headers.get("Content-Type")) == (200, kind), found

    run(work)


def animation(size: tuple[int, int] = (48, 32), frames: int = 4, form: str = "WEBP") -> bytes:
    buffer = io.BytesIO()
    first, *others = [Image.fromarray(moving_picture(size, index)) for index in range(frames)]
    options = {"lossless": True} if form == "WEBP" else {}
    first.save(buffer, form, save_all=True, append_images=others, duration=80, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["WEBP", "AVIF", "GIF", "PNG"])
def test_an_animation_comes_back_as_a_film(tmp_path: Path, form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    source = tmp_path / f"moves.{form.lower()}"
    source.write_bytes(animation(form=form))
    wanted = expected(source, tmp_path / "wanted.mkv")

    async def work() -> None:
        async with served() as there:
            status, headers, found = await there.upscale(source.read_bytes(), scale="2.5")
            assert (status, headers["Content-Type"]) == (200, "video/x-matroska"), found
            ours, theirs = frames_of(found), frames_of(wanted)
            assert len(ours) == len(theirs) == 4
            assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
            await until(lambda: not there.left)

    run(work)


def test_an_animated_webp_keeps_to_the_limits() -> None:
    """Of its pixels before it is decoded, and of the bytes that its frames take meanwhile."""
    many = animation(frames=30)

    async def work() -> None:
        async with served(ServiceLimits(pixels=6000, body_bytes=2 * len(many))) as there:
            for body, words in ((animation((96, 64), 2), "96x64"), (animation(), "120x80"), (many, "bytes")):
                status, _, found = await there.upscale(body, scale="2.5" if words == "120x80" else 1)
                assert (status, words in found.decode()) == (413, True), found
            await until(lambda: not there.left)

    run(work)


def test_a_film_ends_when_its_client_goes(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mkv", Making(frames=750)).read_bytes()

    async def work() -> None:
        async with served() as there:
            async with there.session.post("/upscale", params={"scale": 3}, data=source) as answer:
                await answer.content.readany()
            await until(lambda: there.inside == 0)
            assert there.left == []

    run(work)


def test_a_client_who_takes_nothing_is_said_to_have_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.5)
    source = make_film(tmp_path / "film.mkv", Making(size=(192, 128), frames=50)).read_bytes()
    head = f"POST /upscale?scale=3&codec=ffv1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(source)}\r\n\r\n"

    async def work() -> None:
        async with served() as there:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", there.service.port))
                client.setblocking(False)
                await asyncio.get_running_loop().sock_sendall(client, head.encode() + source)
                await until(lambda: there.inside == 1)
                for _ in range(240):
                    if there.inside:
                        await asyncio.sleep(0.5)
            assert (there.inside, there.left) == (0, [])
            figures = await (await there.session.get("/metrics")).text()
        assert "edge_sr_clients_gone_total 1.0" in figures
        assert any("/upscale: the client went after" in line for line in there.said)
        assert not any("broke off" in line for line in there.said)

    run(work)


def test_the_log_says_why_a_film_broke_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(*_: Any) -> None:
        raise RuntimeError("no more room for bytes")

    monkeypatch.setattr(upscaling, "send", send)
    source = make_film(tmp_path / "film.mkv", Making()).read_bytes()

    async def work() -> None:
        async with served() as there:
            with pytest.raises(aiohttp.ClientError):
                await there.upscale(source, scale=2)
            assert "service: a film broke off (RuntimeError: no more room for bytes)" in there.said
            await until(lambda: any(line.startswith("/upscale") for line in there.said))
            assert not any("the client went" in line for line in there.said)

    run(work)
