"""Films on their way to a network that takes YUV: which stay YUV, and that their codes come through as they are."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.films import Making, make_film

from edge_sr.errors import OptionError, ShapeError
from edge_sr.sizes import Box
from edge_sr.upscale.pipeline import Target, run_film
from edge_sr.upscaler import PartTimes, Result, Upscaler
from edge_sr.video.film.film import Film
from edge_sr.video.frames.codes import CODE_DEPTHS, read_codes, write_codes
from edge_sr.video.frames.pixels import FromRgb, PixelLayout
from edge_sr.video.timed import Timed
from edge_sr.yuv import YuvColour, YuvColours, YuvFrame


class Doubling:
    """A network that makes every pixel four, of YUV as of RGB; ``taken`` are the frames as they came."""

    takes_yuv = True
    takes_surfaces = False

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def stream(self, frames: Iterable[Any], *, size: tuple[int, int], box: Box | None) -> Iterator[Result]:
        for frame in frames:
            self.taken.append(frame)
            pixels = frame.codes if isinstance(frame, YuvFrame) else frame
            rows = pixels.repeat(2, axis=0)
            if isinstance(frame, YuvFrame):
                pairs = rows.reshape(len(rows), -1, 2)[2 * frame.size[1] :].repeat(2, axis=1)
                luma = rows[: 2 * frame.size[1]].repeat(2, axis=1)
                rows = np.concatenate([luma, pairs.reshape(len(pairs), -1)])
            else:
                rows = rows.repeat(2, axis=1)
            yield Result(rows, PartTimes())


class Frames:
    """Keeps what is to be encoded."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    def write(self, timed: Timed[Any]) -> None:
        self.written.append(timed.frame)


def doubled(path: Path, layout: PixelLayout, name: str = "") -> tuple[Doubling, list[Any]]:
    """What the network took of a film, and what is encoded of it."""
    network, writer = Doubling(), Frames()
    with Film(str(path)) as film:
        width, height = film.info.size
        run_film(
            film,
            network,
            writer,
            FromRgb(film.info.shown_colour, layout, name),
            Target((2 * width, 2 * height)),
            first=0,
            stop=threading.Event(),
            after_frame=lambda flow: None,
        )
    return network, writer.written


TOP = {"x264-params": "chromaloc=2"}


@pytest.mark.parametrize(
    ("making", "name", "colour"),
    [
        (Making(), "nv12", YuvColour((0.2126, 0.0722), full_range=False)),
        (Making(colours=(6, 2, 1, 1)), "", YuvColour((0.299, 0.114), full_range=True)),
        (
            Making(pixel_format="yuv420p10le", colours=(9, 1, 9, 16), options=TOP),
            "p010le",
            YuvColour((0.2627, 0.0593), full_range=False, chroma_top=True),
        ),
        (Making(pixel_format="yuv420p10le"), "", YuvColour((0.2126, 0.0722), full_range=False)),
    ],
)
def test_codes_come_through_as_they_are(tmp_path: Path, making: Making, name: str, colour: YuvColour) -> None:
    path = make_film(tmp_path / "film.mkv", making)
    layout = PixelLayout(10 if "10" in making.pixel_format else 8, "420")
    network, written = doubled(path, layout, name)
    with av.open(str(path)) as film:
        decoded = list(film.decode(video=0))
    assert len(network.taken) == len(written) == len(decoded) == 12
    for taken, frame, result in zip(network.taken, decoded, written, strict=True):
        assert taken.colours == YuvColours(colour, colour)
        assert result.format.name == (name or layout.name) and int(result.colorspace) == making.colours[0]
        codes = read_codes(frame)
        assert np.array_equal(taken.codes, codes)
        assert np.array_equal(read_codes(result)[: 2 * frame.height : 2, ::2], codes[: frame.height])
        chroma = read_codes(result)[2 * frame.height :: 2]
        assert np.array_equal(chroma[:, 0::4], codes[frame.height :, 0::2])
        assert np.array_equal(chroma[:, 1::4], codes[frame.height :, 1::2])


@pytest.mark.parametrize(
    ("making", "layout"),
    [
        (Making(pixel_format="yuv422p"), PixelLayout(8, "422")),
        (Making(), PixelLayout(10, "420")),
        (Making(), PixelLayout(8, "444")),
        (Making(rotation=90), PixelLayout(8, "420")),
        (Making(size=(63, 48), codec="ffv1"), PixelLayout(8, "420")),
        (Making(options={"x264-params": "chromaloc=1"}), PixelLayout(8, "420")),
        (Making(codec="ffv1", pixel_format="gray"), PixelLayout(8, "420")),
        (Making(codec="ffv1", pixel_format="yuva420p"), PixelLayout(8, "420")),
    ],
)
def test_all_others_are_rgb(tmp_path: Path, making: Making, layout: PixelLayout) -> None:
    network, written = doubled(make_film(tmp_path / "film.mkv", making), layout)
    assert all(isinstance(frame, np.ndarray) and frame.shape[2] == 3 for frame in network.taken)
    assert len(written) == 12 and {frame.format.name for frame in written} == {layout.name}


@pytest.mark.parametrize("name", CODE_DEPTHS)
def test_codes_in_every_form(name: str) -> None:
    kind: Any = np.uint8 if CODE_DEPTHS[name] == 8 else np.uint16
    codes = np.random.default_rng(1).integers(0, 1 << CODE_DEPTHS[name], (33, 38)).astype(kind)
    codes <<= 6 if kind is np.uint16 else 0
    assert np.array_equal(read_codes(write_codes(codes, name)), codes)


def test_what_is_no_yuv_frame_is_refused() -> None:
    colours = YuvColours(*[YuvColour((0.2126, 0.0722), full_range=False)] * 2)
    for shape, kind in (
        ((32, 38), np.uint8),
        ((33, 37), np.uint8),
        ((33, 38), np.float32),
        ((3, 8), np.uint8),
    ):
        with pytest.raises(ShapeError, match="a YUV frame must"):
            YuvFrame(np.zeros(shape, kind), colours)
    frame = YuvFrame(np.zeros((33, 38), np.uint8), colours)
    with Upscaler("diinn-nano", backend="onnxruntime", threads=1) as upscaler:
        assert not upscaler.takes_yuv
        with pytest.raises(OptionError, match="onnxruntime takes no YUV frames"):
            list(upscaler.stream([frame], size=(76, 44)))
