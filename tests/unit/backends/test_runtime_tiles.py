"""How outputs are cut for the decoder, and put together again."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
import pytest

from edge_sr.backends.sampling import TileSampler, sample_maps
from edge_sr.backends.tiles import decoder_strips
from edge_sr.grid import sampling_grid
from edge_sr.sizes import output_size

LOW = (37, 53)


def grid_at(scale: str) -> Any:
    return sampling_grid(LOW, output_size(*LOW, scale=Fraction(scale)))


@pytest.mark.parametrize("scale", ["1", "1.5", "2", "2.71", "3", "4"])
def test_tiles_cover_every_pixel_once(scale: str) -> None:
    grid = grid_at(scale)
    for dtype in (np.uint8, np.float32):
        frame = np.zeros((1, grid.height, grid.width, 3), dtype)
        for number, tile in enumerate(chain.from_iterable(decoder_strips(grid, 300)), 1):
            there = frame[:, tile.y, tile.x]
            assert not there.any()
            tile.place(np.full(there.shape, 1 + number % 250, dtype), frame)
        assert frame.all()


@pytest.mark.parametrize("scale", ["2", "3", "1.5"])
def test_strips_of_phases_are_even(scale: str) -> None:
    """Two threads with three strips to share would else wait for each other at a small fourth."""
    strips = list(decoder_strips(grid_at(scale), 300))
    heights = [max(tile.y.stop for tile in strip) - min(tile.y.start for tile in strip) for strip in strips]
    assert len(heights) > 2
    assert max(heights) - min(heights) <= 2 * int(np.ceil(float(scale)))


@pytest.mark.parametrize("scale", ["1.5", "2", "2.71"])
def test_maps_and_base_are_those_of_the_nearest_pixels(scale: str) -> None:
    grid = grid_at(scale)
    generator = np.random.default_rng(0)
    maps = generator.random((1, 5, LOW[1], LOW[0]), np.float32)
    image = generator.integers(0, 256, (1, LOW[1], LOW[0], 3), np.uint8)
    whole = TileSampler(maps, image).base_at(grid)
    sampler = TileSampler(maps, image)
    for tile in chain.from_iterable(decoder_strips(grid, 300)):
        part = tile.grid
        np.testing.assert_array_equal(sampler.maps_at(part), maps[:, :, part.rows][..., part.cols])
        np.testing.assert_array_equal(sampler.base_at(part), whole[:, :, tile.y, tile.x])


def test_phases_of_a_whole_scale_share_their_maps() -> None:
    maps = np.random.default_rng(0).random((1, 2, LOW[1], LOW[0]), np.float32)
    sampler = TileSampler(maps, np.zeros((1, LOW[1], LOW[0], 3), np.uint8))
    strip = next(iter(decoder_strips(grid_at("2"))))
    sampled = [sampler.maps_at(tile.grid) for tile in strip]
    assert len(strip) == 4
    assert all(other is sampled[0] for other in sampled)
    assert sample_maps(maps, strip[0].grid.rows, strip[0].grid.cols).flags.c_contiguous
