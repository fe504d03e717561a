"""How a large frame is cut for the encoder: strips, or blocks, with a halo of its receptive field.

Maps are far larger than frames (192 float32 maps of a 1080p frame are 1.6 GB), so long before memory runs out a
frame is encoded, decoded and dropped block by block. With the halo the cut is exact.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from edge_sr.grid import Box, first_output

# Maps and activations that one block may take, in bytes.
BLOCK_BYTES = 640 << 20


@dataclasses.dataclass(frozen=True)
class Block:
    """``core``: the LR pixels whose outputs the block makes; ``padded``: what the encoder reads for them."""

    core: Box
    padded: Box


def plan_blocks(area: Box, size: tuple[int, int], margin: int, bytes_per_pixel: int) -> list[Block]:
    """Cut the LR box ``area`` of a frame of ``size`` = ``(width, height)`` into blocks within the memory limit.

    One block where it fits, else strips of whole rows, else blocks of about equal sides: at least twice the margin,
    even above the limit, for smaller ones would be computed many times over.
    """
    pixels = max(1, BLOCK_BYTES // bytes_per_pixel)
    whole = _block(area, size, margin)
    if whole.padded.width * whole.padded.height <= pixels:
        return [whole]
    width = _padded_length(area.width, size[0], margin)
    rows = pixels // width - 2 * margin
    if rows >= min(area.height, 4 * margin + 16):
        return [_block(core, size, margin) for core in _cut(area, area.width, rows)]
    side = max(16, 2 * margin, math.isqrt(pixels) - 2 * margin)
    return [_block(core, size, margin) for core in _cut(area, side, side)]


def _padded_length(length: int, whole: int, margin: int) -> int:
    return min(whole, length + 2 * margin)


def _cut(area: Box, width: int, height: int) -> Iterator[Box]:
    """Equal parts, none longer than asked for: a last narrow one would be mostly halo."""
    for y0, y1 in _spans(area.y0, area.y1, height):
        for x0, x1 in _spans(area.x0, area.x1, width):
            yield Box(x0, y0, x1, y1)


def _spans(start: int, stop: int, longest: int) -> Iterator[tuple[int, int]]:
    length = stop - start
    count = -(-length // max(1, longest))
    for i in range(count):
        yield start + i * length // count, start + (i + 1) * length // count


def _block(core: Box, size: tuple[int, int], margin: int) -> Block:
    padded = Box(
        max(0, core.x0 - margin),
        max(0, core.y0 - margin),
        min(size[0], core.x1 + margin),
        min(size[1], core.y1 + margin),
    )
    return Block(core, padded)


def output_box(core: Box, box: Box, before: tuple[int, int], after: tuple[int, int]) -> Box:
    """The part of the output ``box`` whose nearest LR pixels lie in ``core``."""
    return Box(
        max(box.x0, first_output(before[0], after[0], core.x0)),
        max(box.y0, first_output(before[1], after[1], core.y0)),
        min(box.x1, first_output(before[0], after[0], core.x1)),
        min(box.y1, first_output(before[1], after[1], core.y1)),
    )
