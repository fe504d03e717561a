"""Addresses: what they mean, and that nothing secret in them is ever shown."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import pytest

from edge_sr.camera.pictures import sink_colour
from edge_sr.errors import InputNotFoundError, MissingError, OptionError, OutputExistsError, OutputFolderError
from edge_sr.masking import masked
from edge_sr.video.live import v4l2
from edge_sr.video.live.address import parse_address, same_place
from edge_sr.video.live.gstreamer import pipeline_text
from edge_sr.video.live.outlets import plan_outlet
from edge_sr.video.live.sinks import PictureForm, StreamSink
from edge_sr.video.live.sources import SourcePlan, StreamSource

SECRETS = [
    "rtsp://user:sesame@192.0.2.1/cam",
    "rtsp://user:p@ss/sesame@192.0.2.1/cam",
    "http://192.0.2.1/x.m3u8?token=sesame",
    "srt://192.0.2.1:9000?passphrase=sesame",
    "rtmp://live.example/app/sesame",
    "rtmps://user:sesame@live.example/app/sesame?x=sesame",
    "gst:rtspsrc location=rtsp://u:sesame@192.0.2.1/ user-pw=sesame ! decodebin",
    'gst:souphttpsrc user-id=me user-pw="sesame" ! jpegdec',
    "http://192.0.2.1/#sesame",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_never_shown(text: str) -> None:
    address = parse_address(text)
    for form in (address.shown, repr(address), str(address), f"{address}"):
        assert "sesame" not in form


def test_what_is_no_secret_is_masked() -> None:
    assert masked("rtsp://u:p@192.0.2.1:554/cam?x=1") == "rtsp://192.0.2.1:554/cam"
    assert masked("udp://239.0.0.1:5000") == "udp://239.0.0.1:5000"
    assert masked("film.mp4") == "film.mp4"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-", "pipe"),
        ("pipe:?size=320x180", "pipe"),
        ("/dev/video3", "device"),
        ("csi://0", "csi"),
        ("gst:videotestsrc", "gst"),
        ("film.mp4", "file"),
        ("file:///tmp/film.mp4", "file"),
        ("UDP://127.0.0.1:1", "udp"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert parse_address(text).kind == kind


@pytest.mark.parametrize("text", ["gopher://x", "csi://front", "rtsp://", "udp:///"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(OptionError):
        parse_address(text)


def test_sinks_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be written"):
        plan_outlet(parse_address("http://192.0.2.1/x"), None, False)
    with pytest.raises(OptionError, match="live file"):
        plan_outlet(parse_address("out.avi"), None, False)
    with pytest.raises(OptionError, match="--codec"):
        plan_outlet(parse_address("-"), "x264", False)
    for name in ("out.ts", "udp://127.0.0.1:5000"):
        with pytest.raises(OptionError, match="MPEG-TS cannot hold AV1 from svt-av1: use x264"):
            plan_outlet(parse_address(name), "svt-av1", False)
    with pytest.raises(OutputFolderError):
        plan_outlet(parse_address("/no/such/folder/out.mkv"), None, False)
    (tmp_path / "out.mkv").touch()
    with pytest.raises(OutputExistsError):
        plan_outlet(parse_address(str(tmp_path / "out.mkv")), None, False)
    assert plan_outlet(parse_address(str(tmp_path / "out.mkv")), None, True).muxer == "matroska"


def test_an_unknown_device_names_those_that_exist() -> None:
    with pytest.raises(InputNotFoundError, match="there is"):
        v4l2.check_device("/dev/video4711")


def test_a_csi_cameras_pipeline_names_its_sensor_and_rate() -> None:
    with_rate = pipeline_text(parse_address("csi://1"), Fraction(30))
    assert with_rate.startswith("nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),format=NV12,")
    assert "framerate=30/1" in with_rate
    assert "framerate" not in pipeline_text(parse_address("csi://1"), None)
    assert pipeline_text(parse_address("gst:videotestsrc ! queue"), None) == "videotestsrc ! queue"


def test_a_place_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.touch()
    (tmp_path / "link.mkv").symlink_to(film)
    for sink in (
        str(film),
        f"file://{film}",
        str(tmp_path / "." / "link.mkv"),
        f"file://{tmp_path}/link.mkv",
    ):
        assert same_place(parse_address(str(film)), parse_address(sink))
        assert same_place(parse_address(f"file://{film}"), parse_address(sink))
    assert not same_place(parse_address(str(film)), parse_address(str(tmp_path / "new.mkv")))
    assert same_place(parse_address("/dev/video0"), parse_address("/dev/video0"))
    assert not same_place(parse_address("-"), parse_address("-"))


def test_a_files_name_may_look_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("film.mkv").write_bytes(b"kept")
    outlet = plan_outlet(parse_address("file:film.mkv"), "x264", False)
    StreamSink(outlet, PictureForm((64, 48), Fraction(25), sink_colour((64, 48)))).close()
    assert Path("film.mkv").read_bytes() == b"kept"
    assert Path("file:film.mkv").stat().st_size > 0


def test_a_protocol_that_ffmpeg_lacks_is_answered_with_what_can_be_done() -> None:
    try:
        av.open("srt://127.0.0.1:1?connect_timeout=1", timeout=2)
    except av.error.ProtocolNotFoundError:
        pass
    except av.error.FFmpegError:
        pytest.skip("this FFmpeg has SRT")
    address = parse_address("srt://127.0.0.1:9")
    with pytest.raises(MissingError, match="a source such as"):
        StreamSource(SourcePlan(address, None, frozenset()), threading.Event())
    sink = plan_outlet(address, None, overwrite=False)
    form = PictureForm((32, 24), Fraction(25), sink_colour((32, 24)))
    with pytest.raises(MissingError, match=r"another protocol, or build PyAV"):
        StreamSink(sink, form)
