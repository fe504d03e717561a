"""Blocks cover a frame once, stay within their limit, and are not computed many times over."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.plan import BLOCK_BYTES, Block, Footprint, plan_blocks, plan_run
from edge_sr.sizes import Box

MIB = 1 << 20


def planned(
    size: tuple[int, int], margin: int, bytes_per_pixel: int, limit: int = BLOCK_BYTES
) -> list[Block]:
    return plan_blocks(Box(0, 0, *size), size, Footprint(margin, 0, bytes_per_pixel, limit))


def work(plan: list[Block], size: tuple[int, int]) -> float:
    """Pixels that the encoder reads, relative to the frame's."""
    return sum(block.padded.width * block.padded.height for block in plan) / (size[0] * size[1])


@pytest.mark.parametrize(("margin", "bytes_per_pixel"), [(19, 1280), (136, 6400), (71, 8192)])
def test_a_frame_that_fits_is_one_block_whatever_the_margin(margin: int, bytes_per_pixel: int) -> None:
    """RDN reads 136 pixels on every side: its halo is larger than the frame."""
    size = (320, 180)
    assert size[0] * size[1] * bytes_per_pixel < BLOCK_BYTES
    (block,) = planned(size, margin, bytes_per_pixel)
    assert block.core == block.padded == Box(0, 0, *size)


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160), (97, 1501)])
def test_blocks_cover_once_and_stay_within_the_limit(size: tuple[int, int]) -> None:
    plan = planned(size, 19, 1280, 64 * MIB)
    assert len(plan) > 1
    covered = [[0] * size[0] for _ in range(size[1])]
    for block in plan:
        assert block.padded.width * block.padded.height * 1280 <= 64 * MIB
        for row in covered[block.core.y0 : block.core.y1]:
            row[block.core.x0 : block.core.x1] = [n + 1 for n in row[block.core.x0 : block.core.x1]]
    assert {n for row in covered for n in row} == {1}


def test_a_short_row_counts_for_what_it_takes_of_memory() -> None:
    size = (8, 65500)
    footprint = Footprint(19, 0, 1280, 64 * MIB, least_columns=80)
    plan = plan_blocks(Box(0, 0, *size), size, footprint)
    assert sum(block.core.height for block in plan) == size[1]
    assert max(block.padded.height for block in plan) * 80 * 1280 <= 64 * MIB


def test_a_wide_margin_is_not_computed_many_times_over() -> None:
    """Meta-SR over RDN: what the limit leaves of a block is narrower than its margin."""
    size = (1280, 720)
    assert work(planned(size, 133, 14872), size) < 5


@pytest.mark.parametrize("halo", [0, 1])
def test_steps_of_a_plan_make_the_box_once_from_the_whole_grid(halo: int) -> None:
    size, output, box = (90, 70), (207, 161), Box(8, 3, 190, 150)
    plan = plan_run(size, output, box, Footprint(5, halo, 1000, 1 << 20))
    assert len(plan.steps) > 1
    seen = np.zeros((box.height, box.width), int)
    for step in plan.steps:
        seen[step.place.slices] += 1
        rows = plan.grid.rows[step.place.y0 : step.place.y1 + 2 * halo]
        cols = plan.grid.cols[step.place.x0 : step.place.x1 + 2 * halo]
        assert (step.grid.rows + step.source.y0 == rows).all() and (
            step.grid.cols + step.source.x0 == cols
        ).all()
        assert step.grid.rows.min() >= 0 and step.grid.rows.max() < step.source.height
    assert (seen == 1).all()


def test_a_plan_is_made_once() -> None:
    about = Footprint(5, 0, 1000, None)
    one, other = (plan_run((64, 48), (128, 96), None, about) for _ in range(2))
    assert one is other and len(one.steps) == 1
    assert one.steps[0].source == Box(0, 0, 64, 48)
