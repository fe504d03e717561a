"""The self-ensemble: turns and what they do to boxes, and the whole of it through an ``Upscaler``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr import Upscaler
from edge_sr.quality import psnr_y
from edge_sr.resample import resize
from edge_sr.sizes import Box
from edge_sr.tta import TURNS, Turn

SIDES = (23, 17)


def picture(width: int = SIDES[0], height: int = SIDES[1]) -> np.ndarray:
    """A textured picture, smooth enough to be worth enlarging."""
    rough = np.random.default_rng(3).integers(0, 256, (height // 3 + 2, width // 3 + 2, 3), np.uint8)
    return resize(rough, (width, height))


@pytest.mark.parametrize("turn", TURNS)
def test_turning_back_undoes_a_turn(turn: Turn) -> None:
    frame = picture()
    assert np.array_equal(turn.back(turn.frame(frame)), frame)
    assert turn.frame(frame).shape[1::-1] == turn.size(SIDES)


@pytest.mark.parametrize("turn", TURNS)
def test_a_box_turns_with_its_picture(turn: Turn) -> None:
    frame, box = picture(), Box(2, 5, 12, 9)
    there = turn.box(box, SIDES)
    part = turn.frame(frame)[there.y0 : there.y1, there.x0 : there.x1]
    assert np.array_equal(turn.back(part), frame[box.y0 : box.y1, box.x0 : box.x1])


def test_the_eight_turns_differ() -> None:
    assert len({turn.frame(picture(9, 9)).tobytes() for turn in TURNS}) == 8


@pytest.fixture(scope="module")
def eight() -> Upscaler:
    return Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", tta=True)


def test_it_is_the_mean_of_eight_passes_rounded_once(eight: Upscaler) -> None:
    frame = picture()
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32") as one:
        passes = [
            turn.back(one(turn.frame(frame.astype(np.float32) / 255), size=turn.size((58, 43))))
            for turn in TURNS
        ]
    expected = np.mean(passes, 0)
    assert np.abs(eight(frame.astype(np.float32) / 255, size=(58, 43)) - expected).max() < 1e-5
    levels = eight(frame, size=(58, 43))
    assert levels.dtype == np.uint8
    assert np.abs(levels - 255 * expected).max() < 0.501


@pytest.mark.parametrize("region", [(0, 0, 9, 7), (5, 3, 11, 10), (20, 16, 3, 1)])
def test_a_region_is_that_part_of_the_whole(eight: Upscaler, region: tuple[int, int, int, int]) -> None:
    from edge_sr.sizes import output_region

    frame = picture()
    box = output_region(region, SIDES, (58, 43))
    whole = eight(frame, size=(58, 43))
    assert np.array_equal(eight(frame, size=(58, 43), region=region), whole[box.y0 : box.y1, box.x0 : box.x1])


def test_strips_change_nothing(eight: Upscaler) -> None:
    frame = picture(160, 120)
    with Upscaler(
        "diinn-nano", backend="onnxruntime", precision="fp32", tta=True, block_bytes=2_000_000
    ) as small:
        parts = small(frame, scale=1.5)
    difference = np.abs(parts.astype(int) - eight(frame, scale=1.5))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_encoding_first_and_streaming_give_the_same(eight: Upscaler) -> None:
    frame = picture()
    expected = eight(frame, scale=2)
    assert np.array_equal(eight.decode(eight.encode(frame), scale=2), expected)
    (streamed,) = (result.frame for result in eight.stream([frame], size=(46, 34)))
    assert np.array_equal(streamed, expected)


def test_a_turned_frame_gives_the_turned_result(eight: Upscaler) -> None:
    """What one pass does not: it has its likes among directions."""
    frame = picture()
    difference = eight(np.ascontiguousarray(frame[::-1]), scale=2)[::-1].astype(int) - eight(frame, scale=2)
    assert np.abs(difference).max() <= 1


def test_it_is_closer_to_the_truth(eight: Upscaler) -> None:
    from PIL import Image

    sample = next((Path(__file__).parents[2] / "samples").glob("*.png"), None)
    high = picture(240, 180) if sample is None else np.asarray(Image.open(sample).convert("RGB"))
    high = high[: high.shape[0] // 2 * 2, : high.shape[1] // 2 * 2]
    low = resize(high, (high.shape[1] // 2, high.shape[0] // 2))
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32") as one:
        assert psnr_y(eight(low, scale=2), high, 2) > psnr_y(one(low, scale=2), high, 2)
