"""Whatever a caller gives an ``Upscaler``: a picture comes of it, or one of the library's own errors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from edge_sr import Upscaler, open_bundle
from edge_sr.backends.registry import BACKENDS
from edge_sr.errors import EdgeSRError, OptionError, ShapeError
from edge_sr.sizes import Box
from edge_sr.upscaler import Encoded, Result

FRAME = np.zeros((8, 8, 3), np.uint8)
ODD: tuple[Any, ...] = (
    None, 0, 1, -1, 10**30, 1.5, float("nan"), float("inf"), True, 3 + 4j, "", "x", "2x2", "\0", b"x", [], [1], {},
    set(), (), (1,), (1, 2), (1, 2, 3, 4), (None, None), ("a", "b"), (1.5, 2.5), (-1, -2), (0, 0, 0, 0),
    (10**30, 10**30),
    Path("x"), object(), object, len, iter([]), range(3), np.int64(2), np.float32(2), FRAME, FRAME[..., 0], FRAME[:0],
    FRAME.astype(float), FRAME.astype(object), FRAME.astype("U4"), FRAME[None], np.zeros((1, 5, 8, 8), np.float32),
    Box(0, 0, 10**6, 5), Box(-5, 0, 3, 5), Box(4, 4, 4, 4), Box(0, 0, 1.5, 2),  # type: ignore[arg-type]
)  # fmt: skip


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", threads=1) as opened:
        yield opened


def _opened(**options: Any) -> None:
    with Upscaler(
        "diinn-nano", **{"backend": "onnxruntime", "precision": "fp32", "threads": 1, **options}
    ) as up:
        up(FRAME, scale=1)


DOORS: dict[str, Callable[[Upscaler, Any], object]] = {
    "open_bundle": lambda _, odd: open_bundle(odd),
    "model": lambda _, odd: Upscaler(odd, backend="none"),
    "backend": lambda _, odd: Upscaler("diinn-nano", backend=odd),
    "precision": lambda _, odd: Upscaler("diinn-nano", backend="onnxruntime", precision=odd),
    "threads": lambda _, odd: _opened(threads=odd),
    "block_bytes": lambda _, odd: _opened(block_bytes=odd),
    "tta": lambda _, odd: _opened(tta=odd),
    "retune": lambda _, odd: _opened(retune=odd),
    "frame": lambda up, odd: up(odd, scale=2),
    "scale": lambda up, odd: up(FRAME, scale=odd),
    "size": lambda up, odd: up(FRAME, size=odd),
    "height": lambda up, odd: up(FRAME, height=odd),
    "region": lambda up, odd: up(FRAME, scale=2, region=odd),
    "encode": lambda up, odd: up.encode(odd),
    "decode": lambda up, odd: up.decode(odd, scale=2),
    "a frame to decode": lambda up, odd: up.decode(Encoded(odd, None), scale=2),
    "maps to decode": lambda up, odd: up.decode(Encoded(FRAME, odd), scale=2),
    "frames of a stream": lambda up, odd: list(up.stream(odd, size=(16, 16))),
    "a frame of a stream": lambda up, odd: list(up.stream([odd], size=(16, 16))),
    "a stream's size": lambda up, odd: list(up.stream([FRAME], size=odd)),
    "a stream's scale": lambda up, odd: list(up.stream([FRAME], scale=odd)),
    "a stream's height": lambda up, odd: list(up.stream([FRAME], height=odd)),
    "a stream's region": lambda up, odd: list(up.stream([FRAME], size=(16, 16), region=odd)),
    "a stream's box": lambda up, odd: list(up.stream([FRAME], size=(16, 16), box=odd)),
}


@pytest.mark.parametrize("door", DOORS)
def test_nothing_at_the_door_is_anything_but_an_error_of_ours(up: Upscaler, door: str) -> None:
    for odd in ODD:
        try:
            DOORS[door](up, odd)
        except EdgeSRError:
            continue
    assert up(FRAME, scale=2).shape == (16, 16, 3), "an error left the upscaler of no use"


@pytest.mark.parametrize("frames", [None, 3, object()], ids=["None", "3", "object"])
def test_a_stream_of_no_frames_is_told_when_it_is_asked_for(up: Upscaler, frames: Any) -> None:
    with pytest.raises(OptionError, match="frames is a row of frames"):
        up.stream(frames, size=(16, 16))


def test_a_stream_takes_a_scale_or_a_height_of_each_frame_as_calling_does(up: Upscaler) -> None:
    frames = [FRAME, np.full((8, 10, 3), 90, np.uint8)]
    for asked in ({"scale": 2.7}, {"height": 13}, {"scale": "1.5", "region": (1, 2, 4, 3)}):
        streamed = [result.frame for result in up.stream(frames, **asked)]
        for frame, result in zip(frames, streamed, strict=True):
            assert np.array_equal(result, up(frame, **asked))


@pytest.mark.parametrize("asked", [{}, {"scale": 2, "size": (16, 16)}, {"scale": 2, "box": Box(0, 0, 4, 4)}])
def test_a_stream_without_one_output_size_is_told_when_it_is_asked_for(up: Upscaler, asked: Any) -> None:
    with pytest.raises(OptionError, match=r"exactly one of scale, size and height|give size with it"):
        up.stream([FRAME], **asked)


def test_a_stream_of_two_parts_is_told_when_it_is_asked_for(up: Upscaler) -> None:
    with pytest.raises(OptionError, match="region and box"):
        up.stream([FRAME], size=(16, 16), region=(0, 0, 4, 4), box=Box(0, 0, 2, 2))


def test_an_array_of_frames_is_a_row_of_frames(up: Upscaler) -> None:
    assert len(list(up.stream(np.stack([FRAME, FRAME]), size=(16, 16)))) == 2  # type: ignore[arg-type]


def test_maps_of_another_frame_are_refused(up: Upscaler) -> None:
    with pytest.raises(OptionError, match="maps are those"):
        Encoded(np.zeros((9, 9, 3), np.uint8), up.encode(FRAME).maps)


@pytest.mark.parametrize("backend", ["onnxruntime", "native", "openvino"])
def test_maps_of_a_frame_that_is_larger_by_two_are_refused(backend: str) -> None:
    """As networks with ``init_q`` have them, which this is none of."""
    if BACKENDS[backend].unavailable_reason():
        pytest.skip(f"{backend} does not work here")
    with Upscaler("diinn-nano", backend=backend, precision="fp32", threads=1) as up:
        maps = up.encode(FRAME).maps
        with pytest.raises(ShapeError, match="expected"):
            up.decode(Encoded(FRAME[1:-1, 1:-1], maps), scale=2)


def test_maps_of_another_network_are_refused_though_they_have_its_shape() -> None:
    options: Any = {"backend": "onnxruntime", "precision": "fp32", "threads": 1}
    with Upscaler("diinn-edge", **options) as up, Upscaler("diinn-edge-video", **options) as other:
        encoded = up.encode(FRAME)
        with pytest.raises(OptionError, match="another network than diinn-edge-video"):
            other.decode(encoded, scale=2)
    with Upscaler("diinn-edge", **{**options, "precision": "int8"}) as same:
        assert same.decode(encoded, scale=2).shape == (16, 16, 3)


def test_what_is_encoded_stays_as_it_was_whatever_becomes_of_the_callers_array(up: Upscaler) -> None:
    buffer = FRAME.copy()
    expected = up(buffer, scale=2)
    encoded = up.encode(buffer)
    buffer[:] = 255
    assert np.array_equal(up.decode(encoded, scale=2), expected)


def test_what_it_gives_can_be_looked_for_and_kept_by_key(up: Upscaler) -> None:
    encoded, result = up.encode(FRAME), up.run(FRAME, scale=2)
    assert encoded in [up.encode(FRAME), encoded]
    assert {encoded: 1, result: 2}[result] == 2


def test_bundles_can_be_kept_by_key() -> None:
    assert len({open_bundle("diinn-nano"), open_bundle("diinn-nano"), open_bundle("diinn-edge")}) == 2


def test_a_type_checker_knows_that_a_stream_can_be_closed() -> None:
    assert get_type_hints(Upscaler.stream)["return"] == Generator[Result, None, None]
