"""Still tiles: what changed is found exactly, and the result is that of the whole computation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sr.camera.static_tiles import TILE, StaticTileUpscaler, dirty_tiles, rectangles
from edge_sr.sizes import Region, Size
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Result, Upscaler

WIDTH, HEIGHT = 208, 112


@pytest.fixture(scope="module")
def network() -> Iterator[Upscaler]:
    with Upscaler("diinn-nano") as upscaler:
        yield upscaler


def tiles_of(network: Upscaler, threshold: int = 0) -> StaticTileUpscaler:
    def part(frame: np.ndarray, size: Size, region: Region | None) -> Result:
        return network.run(frame, size=size, region=region)

    return StaticTileUpscaler(part, network.radius, threshold)


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """At most one level apart in fewer than 1 of 1,000 values."""
    apart = np.abs(found.astype(int) - expected.astype(int))
    return bool(apart.max() <= 1 and (apart > 0).mean() < 1e-3)


@pytest.mark.parametrize("size", [(416, 224), (562, 302), (208, 112)])
def test_a_moving_patch_gives_the_whole_computations_picture(
    network: Upscaler, size: tuple[int, int]
) -> None:
    still = tiles_of(network)
    random = np.random.default_rng(0)
    frame = reference_card(WIDTH, HEIGHT)
    still(frame, size)
    partial = 0
    for number in range(8):
        frame = frame.copy()
        y, x = 10 * number, 23 * number
        frame[y : y + 9, x : x + 12] = random.integers(0, 256, (9, 12, 3))
        found = still(frame, size).frame
        partial += 0 < still.work.decoded < 1
        assert same(found, network(frame, size=size))
    assert partial == 8


def test_a_single_pixel_in_every_corner_counts(network: Upscaler) -> None:
    still = tiles_of(network)
    frame = reference_card(WIDTH, HEIGHT)
    still(frame, (416, 224))
    for y, x in [(0, 0), (0, WIDTH - 1), (HEIGHT - 1, 0), (HEIGHT - 1, WIDTH - 1)]:
        frame = frame.copy()
        frame[y, x] ^= 255
        assert same(still(frame, (416, 224)).frame, network(frame, size=(416, 224)))


def test_an_unchanged_frame_is_not_computed(network: Upscaler) -> None:
    still = tiles_of(network)
    frame = reference_card(WIDTH, HEIGHT)
    first = still(frame, (416, 224)).frame
    second = still(frame.copy(), (416, 224)).frame
    assert second is first
    assert still.work.reused == still.work.tiles == 13 * 7
    assert still.work.encoded == 0


def test_full_motion_and_another_size_compute_the_whole(network: Upscaler) -> None:
    still = tiles_of(network)
    random = np.random.default_rng(1)
    for size in [(416, 224), (416, 224), (300, 160)]:
        frame = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        np.testing.assert_array_equal(still(frame, size).frame, network(frame, size=size))
        assert still.work.encoded == 1


def test_the_pictures_given_out_before_stay_as_they_were(network: Upscaler) -> None:
    still = tiles_of(network)
    frame = reference_card(WIDTH, HEIGHT)
    first = still(frame, (416, 224)).frame
    kept = first.copy()
    changed = frame.copy()
    changed[50:60, 50:60] = 0
    still(changed, (416, 224))
    np.testing.assert_array_equal(first, kept)


def test_a_threshold_ignores_noise_but_not_its_sum(network: Upscaler) -> None:
    still = tiles_of(network, threshold=3)
    frame = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    still(frame, (416, 224))
    still(frame + np.uint8(3), (416, 224))
    assert still.work.decoded == 0
    brighter = frame.copy()
    brighter[40:50, 40:50] += 6
    still(brighter, (416, 224))
    assert 0 < still.work.decoded < 1


@given(st.data())
@settings(max_examples=60)
def test_dirty_tiles_are_those_within_the_radius_and_the_boxes_cover_them(data: st.DataObject) -> None:
    height = data.draw(st.integers(4, 150))
    width = data.draw(st.integers(4, 150))
    radius = data.draw(st.integers(0, 20))
    changed = np.zeros((height, width), bool)
    for _ in range(data.draw(st.integers(0, 6))):
        changed[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = True
    dirty = dirty_tiles(changed, radius)
    for (row, column), found in np.ndenumerate(dirty):
        y, x = row * TILE, column * TILE
        reach = changed[max(0, y - radius) : y + TILE + radius, max(0, x - radius) : x + TILE + radius]
        assert found == reach.any()
    covered = np.zeros((height, width), int)
    for box in rectangles(dirty, (height, width), radius):
        covered[box.y0 : box.y1, box.x0 : box.x1] += 1
    wanted = np.kron(dirty, np.ones((TILE, TILE), bool))[:height, :width]
    assert covered.max(initial=0) <= 1
    assert (covered[wanted] == 1).all()
