"""Where halved chroma lies: read from frames, kept through conversion, and told by what is written."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.upscaling import run

from edge_sr.camera.pictures import FrameMaker, sink_colour
from edge_sr.video.encode.codecs import CODECS, fitting_siting
from edge_sr.video.frames.colour import Colour, read_colour
from edge_sr.video.frames.pixels import FromRgb, PixelLayout, ToRgb
from edge_sr.video.frames.planes import read_plane
from edge_sr.video.frames.siting import CENTER, LEFT, SITINGS, TOPLEFT, Marker, stated_siting
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.outlets import plan_outlet

SIZE = (32, 24)
SLOPE = 4
HALVES = {
    LEFT: (0, 1),
    CENTER: (1, 1),
    TOPLEFT: (0, 0),
    "top": (1, 0),
    "bottomleft": (0, 2),
    "bottom": (1, 2),
}


def ramps(size: tuple[int, int], chroma: str, siting: str, unit: int = 1, scale: int = 1) -> list[np.ndarray]:
    """U rising to the right and V downwards by ``SLOPE`` codes a pixel of a picture ``scale`` times smaller, as samples
    at ``siting`` have it."""
    down = 2 if chroma == "420" else 1
    across, below = HALVES[siting]
    if down == 1:
        below = 0
    x = (2 * np.arange(size[0] // 2) + across / 2 + 0.5) / scale - 0.5
    y = (down * np.arange(size[1] // down) + below / 2 + 0.5) / scale - 0.5
    u = np.broadcast_to(66 + SLOPE * x, (len(y), len(x)))
    v = np.broadcast_to((80 + SLOPE * y)[:, None], (len(y), len(x)))
    return [u * unit, v * unit]


def frame_of(chroma: str, siting: str, depth: int = 8, size: tuple[int, int] = SIZE) -> Any:
    layout, unit = PixelLayout(depth, chroma), 1 << (depth - 8)
    dtype = np.dtype(np.uint8 if depth == 8 else "<u2")
    frame = av.VideoFrame(*size, layout.name)
    codes = [np.full((size[1], size[0]), 126.0 * unit), *ramps(size, chroma, siting, unit)]
    for plane, values in zip(frame.planes, codes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // dtype.itemsize), dtype)
        rows[:, : plane.width] = np.rint(values)
        plane.update(rows.tobytes())
    return frame


def misplaced(frame: Any, chroma: str, siting: str, scale: int = 1) -> float:
    """The mean difference from the ramps at ``siting``, in half pixels, the worse of both directions."""
    depth = frame.format.components[0].bits
    unit = 1 << (depth - 8)
    wanted = ramps((frame.width, frame.height), chroma, siting, unit, scale)
    dtype = np.dtype(np.uint8 if depth == 8 else "<u2")
    edge = 3 * scale
    found = [read_plane(plane, dtype, plane.width).astype(float) for plane in frame.planes[1:3]]
    errors = [
        abs((one - other)[edge:-edge, edge:-edge].mean()) for one, other in zip(found, wanted, strict=True)
    ]
    return float(max(errors) / unit / (SLOPE / 2 / scale))


@pytest.mark.parametrize("siting", SITINGS)
def test_a_frame_says_where_its_chroma_lies(siting: str) -> None:
    frame = frame_of("420", LEFT)
    assert stated_siting(frame) is None
    assert stated_siting(Marker(siting)(frame)) == siting
    assert read_colour(frame)[0].siting == LEFT
    frame.color_range = 2
    assert read_colour(frame)[0].siting == CENTER


@pytest.mark.parametrize(
    ("chroma", "depth", "siting"),
    [
        *(("420", 8, siting) for siting in SITINGS),
        ("420", 10, LEFT),
        ("420", 10, TOPLEFT),
        ("422", 8, LEFT),
        ("422", 10, CENTER),
    ],
)
def test_chroma_stays_in_its_place(chroma: str, depth: int, siting: str) -> None:
    layout, colour = PixelLayout(depth, chroma), Colour(1, False, 1, 1, siting)
    again = FromRgb(colour, layout)(ToRgb(colour, layout)(frame_of(chroma, siting, depth)))
    assert misplaced(again, chroma, siting) < 0.1


def test_chroma_moves_where_the_place_changes() -> None:
    layout = PixelLayout(8, "420")
    picture = ToRgb(Colour(1, False, 1, 1, TOPLEFT), layout)(frame_of("420", TOPLEFT))
    for siting in SITINGS:
        assert misplaced(FromRgb(Colour(1, False, 1, 1, siting), layout)(picture), "420", siting) < 0.1


@pytest.mark.parametrize(
    ("codec", "full_range", "siting", "kept"),
    [
        ("x264", True, CENTER, CENTER),
        ("svt-av1", True, CENTER, LEFT),
        ("h264_nvenc", True, CENTER, LEFT),
        ("vp9", True, LEFT, CENTER),
        ("vp9", False, TOPLEFT, LEFT),
    ],
)
def test_what_a_codec_cannot_say_lies_where_players_take_it(
    codec: str, full_range: bool, siting: str, kept: str
) -> None:
    colour = Colour(1, full_range, 1, 1, siting)
    assert fitting_siting(CODECS[codec], PixelLayout(8, "420"), colour) == kept


def film_with(path: Path, codec: str, frame: Any, options: dict[str, str]) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height = frame.width, frame.height
        stream.pix_fmt = frame.format.name
        stream.codec_context.options = options
        stream.codec_context.color_range = 1
        for index in range(3):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("source", "chroma", "siting", "codec", "suffix", "told", "kept"),
    [
        (("libx264", {"crf": "1", "x264-params": "chromaloc=1"}), "420", CENTER, "x264", "mp4", CENTER, CENTER),
        (("libx264", {"crf": "1"}), "420", LEFT, "x264", "mp4", LEFT, LEFT),
        (("libx264", {"crf": "1", "x264-params": "chromaloc=2"}), "420", TOPLEFT, "x265", "mkv", TOPLEFT, TOPLEFT),
        (("libx264", {"crf": "1", "x264-params": "chromaloc=2"}), "420", TOPLEFT, "svt-av1", "mkv", TOPLEFT, TOPLEFT),
        (("libx264", {"crf": "1", "x264-params": "chromaloc=1"}), "420", CENTER, "vp9", "webm", None, LEFT),
        (("ffv1", {}), "422", LEFT, "prores", "mov", None, LEFT),
    ],
)  # fmt: skip
def test_a_film_is_written_as_players_read_it(
    tmp_path: Path,
    source: tuple[str, dict[str, str]],
    chroma: str,
    siting: str,
    codec: str,
    suffix: str,
    told: str | None,
    kept: str,
) -> None:
    film = film_with(tmp_path / "film.mkv", source[0], frame_of(chroma, siting), source[1])
    output = tmp_path / f"out.{suffix}"
    crf = None if codec == "prores" else 2
    run(film, output, scale=Fraction(2), codec=codec, crf=crf)
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
    assert stated_siting(frame) == told
    assert misplaced(frame, chroma, kept, scale=2) < 0.2


def test_a_live_pipe_has_its_chroma_where_its_header_says(tmp_path: Path) -> None:
    assert plan_outlet(parse_address(str(tmp_path / "live.mkv")), None, False).siting == LEFT
    outlet = plan_outlet(parse_address("-"), None, False)
    colour = Colour(6, False, 6, 6)
    picture = ToRgb(colour, PixelLayout(8, "420"))(frame_of("420", LEFT))
    memory = io.BytesIO()
    with av.open(memory, "w", format=outlet.muxer) as container:
        stream: Any = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        container.mux(stream.encode(FrameMaker(SIZE, sink_colour(SIZE, outlet.siting))(picture, SIZE)))
        container.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory, format="yuv4mpegpipe") as container:
        frame = next(container.decode(video=0))
    assert stated_siting(frame) == outlet.siting
    assert misplaced(frame, "420", outlet.siting) < 0.1
