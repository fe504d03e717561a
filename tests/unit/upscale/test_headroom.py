"""Luma beyond black and white of limited range goes round the network, and comes back in the result."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
import pytest

from edge_sr.sizes import Box
from edge_sr.upscale.pipeline import Target, run_film
from edge_sr.upscaler import PartTimes, Result
from edge_sr.video.film.film import Film
from edge_sr.video.frames.headroom import Headroom, luma_beyond
from edge_sr.video.frames.pixels import FromRgb, PixelLayout, layout_of
from edge_sr.video.frames.planes import read_plane
from edge_sr.video.timed import Timed

SIZE, WIDE = (64, 48), (128, 96)
# Highlights, a ramp below black, and a middle grey, of eight bits.
LUMA = np.full((48, 64), 120)
LUMA[:16], LUMA[20:28] = 250, np.linspace(1, 15, 64)


class Flat:
    """A network that repeats pixels."""

    takes_yuv = takes_surfaces = False

    def stream(
        self, frames: Iterable[np.ndarray], *, size: tuple[int, int], box: Box | None
    ) -> Iterator[Result]:
        for frame in frames:
            whole = frame.repeat(2, 0).repeat(2, 1)
            yield Result(np.ascontiguousarray(whole if box is None else whole[box.slices]), PartTimes())


class Listing:
    def __init__(self) -> None:
        self.luma: list[np.ndarray] = []

    def write(self, timed: Timed[Any]) -> None:
        frame = timed.frame
        dtype = np.uint8 if frame.format.components[0].bits == 8 else np.dtype("<u2")
        self.luma.append(read_plane(frame.planes[0], dtype, frame.width).astype(int))


def film_of(path: Path, pixel_format: str, luma: np.ndarray = LUMA, *, full: bool = False) -> Path:
    """Three frames, without loss; of 4:2:2 bytes by turns where the format is packed."""
    depth = av.VideoFormat(pixel_format).components[0].bits
    with av.open(str(path), "w") as container:
        packed = pixel_format == "uyvy422"
        stream: Any = container.add_stream("rawvideo" if packed else "ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixel_format
        stream.codec_context.color_range, stream.codec_context.colorspace = 1 + full, 1
        for _ in range(3):
            frame = av.VideoFrame(*SIZE, pixel_format)
            for index, plane in enumerate(frame.planes):
                codes = read_plane(plane, np.uint8 if depth == 8 else "<u2", plane.width * (1 + packed))
                codes[...] = 128 << (depth - 8)
                if index == 0:
                    codes[:, 1 if packed else 0 :: 1 + packed] = luma << (depth - 8)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def upscaled(path: Path, layout: PixelLayout | None = None, box: Box | None = None) -> list[np.ndarray]:
    listing = Listing()
    with Film(str(path)) as film:
        to_yuv = FromRgb(film.info.colour, layout or film.info.layout)
        run_film(
            film,
            Flat(),
            listing,
            to_yuv,
            Target(WIDE, box),
            first=1,
            stop=threading.Event(),
            after_frame=lambda flow: None,
        )
    return listing.luma


@pytest.mark.parametrize(
    ("pixel_format", "made"),
    [
        ("yuv420p", None),
        ("gray", None),
        ("uyvy422", None),
        ("yuv422p10le", None),
        ("yuv444p12le", PixelLayout(10, "444")),
        ("yuv422p", PixelLayout(10, "422")),
        ("yuv420p10le", PixelLayout(8, "420")),
    ],
)
def test_it_comes_back_in_every_form(tmp_path: Path, pixel_format: str, made: PixelLayout | None) -> None:
    depth = (made or layout_of(av.VideoFormat(pixel_format))).depth
    found = upscaled(film_of(tmp_path / "film.nut", pixel_format), made)
    assert len(found) == 2
    unit = 1 << (depth - 8)
    wanted = (LUMA * unit).repeat(2, 0).repeat(2, 1)
    # Linear in between: rows at the edges of both bands are mixed, and the ramp's steps.
    inner = np.r_[0:30, 44:52, 60:96]
    assert np.abs(found[0] - wanted)[inner].max() <= 1 * unit


def test_a_region_has_that_of_the_whole(tmp_path: Path) -> None:
    path, box = film_of(tmp_path / "film.nut", "yuv420p"), Box(20, 10, 84, 74)
    assert np.array_equal(upscaled(path, box=box)[1], upscaled(path)[1][box.slices])


@pytest.mark.parametrize("full", [True, False])
def test_what_has_none_takes_no_part_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nothing lies beyond")

    monkeypatch.setattr(Headroom, "_enlarged", refuse)
    luma = LUMA if full else np.clip(LUMA, 16, 235)
    assert upscaled(film_of(tmp_path / "film.mkv", "yuv420p", luma, full=full))


def test_a_network_that_takes_yuv_loses_it_with_a_word(tmp_path: Path) -> None:
    path = film_of(tmp_path / "film.nut", "yuv420p")
    with Film(str(path)) as film:
        headroom = Headroom(WIDE, None, 8)
        frames = [timed.frame for timed in film.frames()]
        with pytest.warns(UserWarning, match="beyond black and white is lost") as told:
            for frame in frames:
                headroom.lose(frame)
    assert len(told) == 1


def test_a_frame_that_lies_upside_down_in_memory_is_left_alone() -> None:
    frame = av.VideoFrame(*SIZE, "yuv420p")
    for plane in frame.planes:
        read_plane(plane, np.uint8, plane.width)[...] = 250
    graph = av.filter.Graph()
    source = graph.add_buffer(width=SIZE[0], height=SIZE[1], format=frame.format, time_base=1)
    flip, sink = graph.add("vflip"), graph.add("buffersink")
    source.link_to(flip)
    flip.link_to(sink)
    graph.configure()
    graph.vpush(frame)
    flipped: Any = graph.vpull()
    assert flipped.planes[0].line_size < 0
    assert luma_beyond(flipped, 8) is None
