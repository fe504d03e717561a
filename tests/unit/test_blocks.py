"""Blocks cover a frame once, stay within their limit, and are not computed many times over."""

from __future__ import annotations

import pytest

from edge_sr import plan as blocks
from edge_sr.grid import Box

MIB = 1 << 20


def planned(size: tuple[int, int], margin: int, bytes_per_pixel: int) -> list[blocks.Block]:
    return blocks.plan_blocks(Box(0, 0, *size), size, margin, bytes_per_pixel)


def work(plan: list[blocks.Block], size: tuple[int, int]) -> float:
    """Pixels that the encoder reads, relative to the frame's."""
    return sum(block.padded.width * block.padded.height for block in plan) / (size[0] * size[1])


@pytest.mark.parametrize(("margin", "bytes_per_pixel"), [(19, 1280), (136, 6400), (71, 8192)])
def test_a_frame_that_fits_is_one_block_whatever_the_margin(margin: int, bytes_per_pixel: int) -> None:
    """RDN reads 136 pixels on every side: its halo is larger than the frame."""
    size = (320, 180)
    assert size[0] * size[1] * bytes_per_pixel < blocks.BLOCK_BYTES
    (block,) = planned(size, margin, bytes_per_pixel)
    assert block.core == block.padded == Box(0, 0, *size)


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160), (97, 1501)])
def test_blocks_cover_once_and_stay_within_the_limit(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64 * MIB)
    plan = planned(size, 19, 1280)
    assert len(plan) > 1
    covered = [[0] * size[0] for _ in range(size[1])]
    for block in plan:
        assert block.padded.width * block.padded.height * 1280 <= blocks.BLOCK_BYTES
        for row in covered[block.core.y0 : block.core.y1]:
            row[block.core.x0 : block.core.x1] = [n + 1 for n in row[block.core.x0 : block.core.x1]]
    assert {n for row in covered for n in row} == {1}


def test_a_wide_margin_is_not_computed_many_times_over() -> None:
    """Meta-SR over RDN: what the limit leaves of a block is narrower than its margin."""
    size = (1280, 720)
    assert work(planned(size, 133, 14872), size) < 5
