"""What stands under an alpha of zero is not seen, in the enlarged picture neither."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.upscaling import run

from edge_sr.sizes import Region
from edge_sr.upscale.layers import Layers, from_visible

COLOUR = (220, 60, 30)


def disc(hidden: tuple[int, int, int], size: int = 48) -> np.ndarray:
    """An antialiased disc of one colour, RGBA, over hidden pixels of another."""
    y, x = np.mgrid[:size, :size]
    alpha = np.rint(np.clip(size / 3 + 0.5 - np.hypot(y - size / 2, x - size / 2), 0, 1) * 255)
    colours = np.where((alpha > 0)[..., None], COLOUR, hidden)
    return np.dstack([colours, alpha]).astype(np.uint8)


def enlarged(path: Path, picture: np.ndarray, region: Region | None = None) -> np.ndarray:
    Image.fromarray(picture).save(path)
    with Image.open(run(path, scale=Fraction(3), region=region).output) as image:
        return np.asarray(image)


def test_hidden_colours_do_not_reach_the_rim(tmp_path: Path) -> None:
    for number, hidden in enumerate([(0, 0, 0), (255, 255, 255), (0, 255, 0)]):
        found = enlarged(tmp_path / f"{number}.png", disc(hidden))
        wanted = enlarged(tmp_path / f"same{number}.png", disc(COLOUR))
        assert np.array_equal(found, wanted)


def test_a_region_of_a_cut_out_is_that_of_the_whole(tmp_path: Path) -> None:
    whole = enlarged(tmp_path / "whole.png", disc((0, 0, 0)))
    part = enlarged(tmp_path / "part.png", disc((0, 0, 0)), (3, 5, 20, 30))
    assert np.abs(whole[15:105, 9:69].astype(int) - part).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(5, 7), (4, 4), (33, 17), (1, 9)])
def test_one_visible_pixel_colours_all(shape: tuple[int, int], dtype: type) -> None:
    colours = (np.random.default_rng(0).random((*shape, 3)) * 200).astype(dtype)
    alpha = np.zeros(shape, dtype)
    alpha[-1, -1] = 1
    assert np.allclose(from_visible(colours, alpha), colours[-1, -1], rtol=1e-5)


def test_visible_pixels_keep_their_colours() -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (40, 30, 3)).astype(np.uint8)
    alpha = random.integers(0, 3, (40, 30)).astype(np.uint8)
    filled = from_visible(colours, alpha)
    assert np.array_equal(filled[alpha > 0], colours[alpha > 0])
    assert from_visible(colours, alpha + 1) is colours
    assert from_visible(colours, alpha * 0) is colours


def test_a_films_frames_are_treated_alike() -> None:
    colours, _ = Layers.of(disc((0, 0, 0)))
    assert np.array_equal(np.unique(colours.reshape(-1, 3), axis=0), [COLOUR])
