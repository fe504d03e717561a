"""The element ``edgesr`` in GStreamer's own tools: the picture, caps, errors, states."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sr import Upscaler
from edge_sr.bundle.stored import shipped_folder
from edge_sr.tensors import reference_card
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.headroom import Headroom, luma_beyond
from edge_sr.video.frames.pixels import FromRgb, PixelLayout, ToRgb
from edge_sr.video.frames.planes import read_plane

LAUNCH, INSPECT = "gst-launch-1.0", "gst-inspect-1.0"
SUPPORT = Path(__file__).parents[1] / "support"
ENVIRONMENT = {**os.environ, "EDGE_SR_BUNDLES": str(shipped_folder())}
WIDTH, HEIGHT = 48, 36
FAST = "edgesr model=diinn-nano precision=fp32"


def run(*words: str, timeout: int = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout)


def launch(pipeline: str, timeout: int = 60) -> subprocess.CompletedProcess[str]:
    return run(LAUNCH, "-v", *pipeline.split(), timeout=timeout)


def absent() -> str:
    """Why these tests cannot run; empty where they can."""
    if shutil.which(INSPECT) is None:
        return "not installed: gstreamer1.0-tools"
    return (
        "" if run(INSPECT, "edgesr").returncode == 0 else "edgesr is not built: see docs/guides/gstreamer.md"
    )


pytestmark = [
    pytest.mark.skipif(bool(absent()), reason=absent()),
    pytest.mark.xdist_group("gstreamer"),
]


@functools.cache
def python_with_bindings() -> str:
    for python in (sys.executable, "/usr/bin/python3"):
        if (
            Path(python).exists()
            and subprocess.run([python, "-c", "import gi"], capture_output=True).returncode == 0
        ):
            return python
    pytest.skip("not installed: python3-gi")


def planes_of(layout: PixelLayout) -> list[np.ndarray]:
    card = reference_card(WIDTH, HEIGHT).transpose(2, 0, 1) / 255
    codes = np.rint((0.1 + 0.75 * card) * ((1 << layout.depth) - 1))
    step = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}[layout.chroma]
    planes = [codes[0], *codes[1:, :: step[0], :: step[1]]]
    return [np.ascontiguousarray(plane, np.uint8 if layout.depth == 8 else "<u2") for plane in planes]


def as_upscale(
    layout: PixelLayout, planes: list[np.ndarray], size: tuple[int, int], colour: Colour | None = None
) -> list[np.ndarray]:
    import av

    colour = colour or Colour(6, False, 6, 6)
    frame = av.VideoFrame(WIDTH, HEIGHT, layout.name)
    for plane, codes in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // codes.itemsize), codes.dtype)
        rows[:, : codes.shape[1]] = codes
        plane.update(rows.tobytes())
    with Upscaler("diinn-nano", backend="native", precision="fp32") as network:
        result = FromRgb(colour, layout)(network(ToRgb(colour, layout)(frame), size=size))
    beyond = luma_beyond(frame, layout.depth)
    if beyond is not None and not colour.full_range:
        Headroom(size, None, layout.depth).add(beyond, result)
    return [read_plane(plane, planes[0].dtype, plane.width) for plane in result.planes]


def stored(planes: list[np.ndarray], pixel_format: str) -> bytes:
    """The planes as GStreamer lays out a frame whose rows are a multiple of four bytes."""
    if pixel_format in ("NV12", "P010_10LE"):
        shift = 6 if pixel_format == "P010_10LE" else 0
        return b"".join((plane << shift).tobytes() for plane in (planes[0], np.stack(planes[1:], axis=-1)))
    return b"".join(plane.tobytes() for plane in planes)


def enlarged(frame: bytes, caps: str, size: tuple[int, int], folder: Path) -> bytes:
    """The frame by the element, in its own format."""
    given, made = folder / "in.raw", folder / "out.raw"
    given.write_bytes(frame)
    found = launch(
        f"filesrc location={given} blocksize={len(frame)} ! "
        f"video/x-raw,width={WIDTH},height={HEIGHT},framerate=1/1,{caps} ! "
        f"{FAST} width={size[0]} height={size[1]} ! filesink location={made}"
    )
    assert found.returncode == 0, found.stderr
    return made.read_bytes()


@pytest.mark.parametrize(
    ("pixel_format", "depth", "chroma"),
    [
        ("I420", 8, "420"),
        ("NV12", 8, "420"),
        ("I420_10LE", 10, "420"),
        ("P010_10LE", 10, "420"),
        ("Y42B", 8, "422"),
        ("Y444_10LE", 10, "444"),
    ],
)
def test_yuv_is_what_upscale_gives(pixel_format: str, depth: int, chroma: str, tmp_path: Path) -> None:
    layout, size = PixelLayout(depth, chroma), (128, 96)
    planes = planes_of(layout)
    # Luma beyond white and black, with edges.
    planes[0][4:12, 5:30], planes[0][20:23, 9:] = 250 << (depth - 8), 3 << (depth - 8)
    sited = "" if chroma == "444" else ",chroma-site=mpeg2"
    made = enlarged(
        stored(planes, pixel_format), f"format={pixel_format},colorimetry=bt601{sited}", size, tmp_path
    )
    expected = stored(as_upscale(layout, planes, size), pixel_format)
    dtype = np.uint8 if depth == 8 else np.dtype("<u2")
    one, other = (np.frombuffer(data, dtype).astype(int) for data in (made, expected))
    difference = np.abs(one - other) >> (6 if pixel_format == "P010_10LE" else 0)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize(
    ("tags", "colour"),
    [
        ("", Colour(6, False, 6, 6, "left")),
        # As avdec_h264 has it of a film that names the range alone.
        (",colorimetry=(string)2:0:0:0", Colour(6, False, 6, 6, "left")),
        (",colorimetry=(string)1:4:16:4", Colour(6, True, 6, 6, "center")),
        (",colorimetry=(string)1:4:16:4,chroma-site=mpeg2", Colour(6, True, 6, 6, "left")),
        (",colorimetry=bt601,chroma-site=jpeg", Colour(6, False, 6, 6, "center")),
        (",colorimetry=bt601,chroma-site=cosited", Colour(6, False, 6, 6, "topleft")),
        (",colorimetry=bt601,chroma-site=dv", Colour(6, False, 6, 6, "topleft")),
    ],
)
def test_what_the_caps_leave_open_is_taken_as_upscale_takes_it(
    tags: str, colour: Colour, tmp_path: Path
) -> None:
    layout, size = PixelLayout(8, "420"), (128, 96)
    planes = planes_of(layout)
    made = enlarged(stored(planes, "I420"), f"format=I420{tags}", size, tmp_path)
    expected = stored(as_upscale(layout, planes, size, colour), "I420")
    one, other = (np.frombuffer(data, np.uint8).astype(int) for data in (made, expected))
    assert np.abs(one - other).max() <= 1
    assert (one != other).mean() < 0.001


@pytest.mark.parametrize("pixel_format", ["RGB", "BGRx", "xRGB", "GBR"])
def test_rgb_is_what_the_library_gives(pixel_format: str, tmp_path: Path) -> None:
    made = tmp_path / "out.raw"
    card = reference_card(WIDTH, HEIGHT)
    order = {"RGB": (0, 1, 2), "BGRx": (2, 1, 0, -1), "xRGB": (-1, 0, 1, 2), "GBR": (1, 2, 0)}[pixel_format]

    def laid_out(picture: np.ndarray) -> np.ndarray:
        opaque = np.concatenate([picture, np.full((*picture.shape[:2], 1), 255, np.uint8)], axis=2)
        parts = opaque[..., list(order)]
        return parts.transpose(2, 0, 1) if pixel_format == "GBR" else parts

    given = tmp_path / "in.raw"
    given.write_bytes(np.ascontiguousarray(laid_out(card)).tobytes())
    found = launch(
        f"filesrc location={given} blocksize={given.stat().st_size} ! "
        f"video/x-raw,format={pixel_format},width={WIDTH},height={HEIGHT},framerate=1/1 ! "
        f"{FAST} width=120 height=90 ! filesink location={made}"
    )
    assert found.returncode == 0, found.stderr
    with Upscaler("diinn-nano", backend="native", precision="fp32") as network:
        expected = laid_out(network(card, size=(120, 90)))
    assert np.array_equal(np.frombuffer(made.read_bytes(), np.uint8).reshape(expected.shape), expected)


def test_inspect_describes_it_and_finds_no_fault() -> None:
    found = run(INSPECT, "edgesr")
    assert "WARN" not in found.stderr + found.stdout
    assert "CRITICAL" not in found.stderr
    for word in ("scale", "width", "height", "model", "backend", "precision", "threads", "P010_10LE"):
        assert word in found.stdout


def source_caps(pipeline: str) -> str:
    """The caps that the element settled on for its output."""
    found = launch(pipeline)
    assert found.returncode == 0, found.stderr
    lines = [line for line in found.stdout.splitlines() if "EdgesrUpscale" in line and "GstPad:src" in line]
    return lines[-1].replace("\\", "")


TEST = f"videotestsrc num-buffers=2 ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT}"


@pytest.mark.parametrize(
    ("options", "then", "size"),
    [
        ("scale=2.7", "", (130, 98)),
        ("height=97", "", (130, 98)),
        ("width=100 height=80", "", (100, 80)),
        ("", "", (96, 72)),
        ("", "video/x-raw,width=140,height=100 !", (140, 100)),
    ],
)
def test_sizes_come_from_properties_or_from_the_next_element(
    options: str, then: str, size: tuple[int, int]
) -> None:
    caps = source_caps(f"{TEST} ! {FAST} {options} ! {then} fakesink")
    assert f"width=(int){size[0]}" in caps
    assert f"height=(int){size[1]}" in caps


def test_aspect_colours_and_hdr_stay_what_they_were() -> None:
    display = "35400:14600:8500:39850:6550:2300:15635:16450:10000000:1"
    caps = source_caps(
        f"videotestsrc num-buffers=1 ! video/x-raw,format=P010_10LE,width={WIDTH},height={HEIGHT},"
        f"pixel-aspect-ratio=4/3,colorimetry=bt2100-pq,mastering-display-info={display},"
        f"content-light-level=(string)1000:400 ! {FAST} width=96 height=108 ! fakesink"
    )
    assert "pixel-aspect-ratio=(fraction)2/1" in caps
    assert "colorimetry=(string)bt2100-pq" in caps
    assert f"mastering-display-info=(string){display}" in caps
    assert "content-light-level=(string)1000:400" in caps


@pytest.mark.parametrize("tags", ["", ",colorimetry=(string)2:0:0:0"])
def test_an_untagged_film_keeps_the_matrix_that_its_size_meant(tags: str) -> None:
    """Enlarged to HD it would otherwise be taken for BT.709."""
    source = f"{TEST} ! capssetter replace=true caps=video/x-raw,format=I420,width=48,height=36,framerate=30/1{tags}"
    caps = source_caps(f"{source} ! {FAST} width=1280 height=720 ! fakesink")
    assert "colorimetry=(string)bt601" in caps, caps


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("scale=0.5", "between 1 and 64"),
        ("scale=2 height=90", "exactly one"),
        ("width=97 height=90", "ask for 98x90"),
        ("scale=2 model=nobody", "no model 'nobody'"),
        ("scale=2 backend=cuda", "auto or native"),
        ("scale=2 precision=fp8", "precision must be"),
    ],
)
def test_what_does_not_fit_is_an_error_in_plain_words(options: str, message: str) -> None:
    # gst-launch waits for ever after an error that comes before its main loop runs; live sources begin in it.
    found = launch(
        f"{TEST.replace('videotestsrc', 'videotestsrc is-live=true')} ! edgesr {options} ! fakesink"
    )
    assert found.returncode != 0
    assert message in found.stderr


@pytest.mark.parametrize("option", ["model=nobody", "backend=cuda", "precision=fp8"])
def test_what_no_size_changes_is_refused_before_the_stream(option: str) -> None:
    found = launch(f"{TEST} ! edgesr scale=2 {option} ! fakesink")
    assert "Failed to set pipeline to PAUSED" in found.stderr


def test_a_film_goes_through_to_a_film(samples: Path, tmp_path: Path) -> None:
    import av

    made = tmp_path / "out.mkv"
    found = launch(
        f"filesrc location={samples / 'bunny.mp4'} ! decodebin ! videoscale ! video/x-raw,width=64,height=36 ! "
        f"{FAST} scale=2 ! videoconvert ! x264enc speed-preset=ultrafast ! matroskamux ! filesink location={made}"
    )
    assert found.returncode == 0, found.stderr
    with av.open(str(made)) as film:
        frames = list(film.decode(video=0))
    with av.open(str(samples / "bunny.mp4")) as film:
        assert len(frames) == sum(1 for _ in film.decode(video=0))
    assert (frames[0].width, frames[0].height) == (128, 72)


@pytest.fixture
def rtsp_camera() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([python_with_bindings(), str(SUPPORT / "rtsp_server.py"), str(port)])
    try:
        for _ in range(100):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"rtsp://127.0.0.1:{port}/cam"
    finally:
        server.kill()
        server.wait()


def test_an_rtsp_camera_is_enlarged_live(rtsp_camera: str, tmp_path: Path) -> None:
    made = tmp_path / "frame%d.raw"
    found = launch(
        f"rtspsrc location={rtsp_camera} latency=100 ! rtph264depay ! avdec_h264 ! identity eos-after=8 ! "
        f"{FAST} scale=2 ! multifilesink location={made}"
    )
    assert found.returncode == 0, found.stderr
    frames = sorted(tmp_path.glob("frame*.raw"))
    assert len(frames) >= 5
    assert frames[0].stat().st_size == 192 * 128 * 3 // 2


def test_late_frames_are_dropped() -> None:
    """A sink on the clock gets what is in time; the element makes no more of the rest."""
    found = launch(
        "videotestsrc num-buffers=300 ! video/x-raw,format=I420,width=640,height=360,framerate=300/1 ! "
        f"{FAST} scale=2 ! fakesink sync=true qos=true silent=false"
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("chain   *") < 300


def test_a_live_pipeline_waits_for_the_time_that_a_frame_takes() -> None:
    camera = (
        "videotestsrc is-live=true num-buffers=4 ! video/x-raw,format=I420,width=160,height=90,framerate=10/1"
    )
    asked = []
    for filtering in ("identity", f"{FAST} scale=2"):
        pipeline = f"{camera} ! {filtering} ! fakesink sync=true"
        found = run(python_with_bindings(), str(SUPPORT / "gst_latency.py"), pipeline)
        assert found.returncode == 0, found.stderr
        live, milliseconds = found.stdout.split()
        assert live == "True"
        asked.append(float(milliseconds))
    assert asked[1] > asked[0] + 1


def test_states_may_change_many_times() -> None:
    pipeline = (
        f"videotestsrc num-buffers=1 ! video/x-raw,format=NV12,width=16,height=16 ! {FAST} scale=2 ! fakesink"
    )
    found = run(python_with_bindings(), str(SUPPORT / "gst_states.py"), "50", pipeline)
    assert found.returncode == 0, found.stderr + found.stdout
    early, late = map(int, found.stdout.split())
    assert late < 1.2 * early
