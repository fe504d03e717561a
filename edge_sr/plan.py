"""What a run computes for every frame of one size, decided once: sizes, the part that is wanted, and how it is cut.

Maps are far larger than frames (192 float32 maps of a 1080p frame are 1.6 GB), so long before memory runs out a
frame is encoded, decoded and dropped block by block. With a halo of the receptive field the cut is exact.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator

from edge_sr.grid import SamplingGrid, first_output, sampling_grid
from edge_sr.sizes import Box, Size, whole

# Parts begin at multiples of it: Winograd's tiles then lie as they do in the whole frame.
COLUMN_STEP = 4
# Maps and activations that one block may take, in bytes.
BLOCK_BYTES = 640 << 20

# Plans that are kept: a live picture comes back to the same few regions.
KEPT_PLANS = 32


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What a network reads and takes.

    ``radius``: LR pixels around an output's nearest LR pixel that can change it; ``halo``: output pixels that the
    decoder eats on each side; ``bytes_per_pixel``: live activations for one LR pixel. ``block_bytes``: what one
    block may take of memory, ``None`` for frames that are never cut. ``multiple``: blocks begin and end at multiples
    of it, for networks whose result depends on where a pixel lies among so many. ``spare_columns``: LR columns beyond
    the radius that change the last bits of a result. ``least_columns``: what a row takes of memory however short it is.
    """

    radius: int
    halo: int
    bytes_per_pixel: int
    block_bytes: int | None = BLOCK_BYTES
    multiple: int = 1
    spare_columns: int = 0
    least_columns: int = 1

    def columns(self, width: int) -> int:
        """The columns that a row of ``width`` takes of memory."""
        return max(width, self.least_columns)

    @property
    def margin(self) -> int:
        """LR pixels that a block reads beyond its core: an output pixel in the halo may lie over the next one."""
        return self.radius + self.halo

    @property
    def wide_margin(self) -> int:
        """The same, along a row."""
        return self.margin + self.spare_columns


@dataclasses.dataclass(frozen=True)
class Block:
    """``core``: the LR pixels whose outputs the block makes; ``padded``: what the encoder reads for them."""

    core: Box
    padded: Box


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One block of a plan: ``source`` is what the encoder reads of the frame, ``place`` where the result goes in the
    wanted box, ``grid`` its sampling grid over the maps of ``source``."""

    source: Box
    place: Box
    grid: SamplingGrid


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """A run's geometry; equal to itself alone, so that what is kept for one run can be found by it.

    ``box``: the part of the output that is wanted; ``grid``: its sampling grid over the maps of a whole frame;
    ``steps``: the blocks that make it, one when the frame is not cut.
    """

    input_size: Size
    output_size: Size
    box: Box
    grid: SamplingGrid
    steps: tuple[Step, ...]


@functools.lru_cache(maxsize=KEPT_PLANS)
def plan_run(input_size: Size, output_size: Size, box: Box | None, footprint: Footprint) -> Plan:
    """The plan for frames of ``input_size``, of which ``box`` of the output is wanted, or all of it."""
    box = whole(output_size) if box is None else box
    grid = sampling_grid(input_size, output_size, box, footprint.halo)
    source = _source(input_size, output_size, box)
    if footprint.block_bytes is None:
        blocks = [Block(source, whole(input_size))]
    else:
        blocks = plan_blocks(source, input_size, footprint)
    parts = ((block, output_box(block.core, box, input_size, output_size)) for block in blocks)
    steps = tuple(
        _step(block, part, box, grid, footprint.halo)
        for block, part in parts
        if part.width > 0 and part.height > 0
    )
    return Plan(input_size, output_size, box, grid, steps)


def _step(block: Block, part: Box, box: Box, grid: SamplingGrid, halo: int) -> Step:
    place = part.relative_to(box)
    rows, cols = slice(place.y0, place.y1 + 2 * halo), slice(place.x0, place.x1 + 2 * halo)
    return Step(block.padded, place, grid.part(rows, cols).shifted(block.padded.y0, block.padded.x0))


def _source(input_size: Size, output_size: Size, box: Box) -> Box:
    """The LR pixels nearest to the outputs of ``box``."""
    grid = sampling_grid(input_size, output_size, box)
    return Box(int(grid.cols[0]), int(grid.rows[0]), int(grid.cols[-1]) + 1, int(grid.rows[-1]) + 1)


def plan_blocks(area: Box, size: Size, footprint: Footprint) -> list[Block]:
    """Cut the LR box ``area`` of a frame of ``size`` into blocks within ``block_bytes``.

    One block where it fits, else strips of whole rows, else blocks of about equal sides: at least twice the margin,
    even above the limit, for smaller ones would be computed many times over.
    """
    margin, wide = footprint.margin, footprint.wide_margin
    pixels = max(1, (footprint.block_bytes or BLOCK_BYTES) // footprint.bytes_per_pixel)
    all_of_it = _block(area, size, footprint)
    if footprint.columns(all_of_it.padded.width) * all_of_it.padded.height <= pixels:
        return [all_of_it]
    width = footprint.columns(_padded_length(area.width, size[0], wide))
    rows = pixels // width - 2 * margin
    if rows >= min(area.height, 4 * margin + 16):
        return [_block(core, size, footprint) for core in _cut(area, area.width, rows)]
    columns = max(16, 2 * wide, math.isqrt(pixels) - 2 * wide)
    width = footprint.columns(_padded_length(columns, size[0], wide))
    rows = max(16, 2 * margin, pixels // width - 2 * margin)
    return [_block(core, size, footprint) for core in _cut(area, columns, rows)]


def _padded_length(length: int, longest: int, margin: int) -> int:
    return min(longest, length + 2 * margin)


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


def _block(core: Box, size: Size, footprint: Footprint) -> Block:
    margin, wide, multiple = footprint.margin, footprint.wide_margin, footprint.multiple
    x0, x1 = aligned(core.x0 - wide, core.x1 + wide, size[0], multiple)
    y0, y1 = aligned(core.y0 - margin, core.y1 + margin, size[1], multiple)
    step = math.lcm(COLUMN_STEP, multiple)
    return Block(core, Box(x0 // step * step, y0, x1, y1))


def aligned(start: int, stop: int, length: int, multiple: int) -> tuple[int, int]:
    """The span grown to multiples, within an axis of ``length`` pixels, whose end need not be one."""
    return max(0, start // multiple * multiple), min(length, -(-stop // multiple) * multiple)


def output_box(core: Box, box: Box, input_size: Size, output_size: Size) -> Box:
    """The part of the output ``box`` whose nearest LR pixels lie in ``core``."""
    return Box(
        max(box.x0, first_output(input_size[0], output_size[0], core.x0)),
        max(box.y0, first_output(input_size[1], output_size[1], core.y0)),
        min(box.x1, first_output(input_size[0], output_size[0], core.x1)),
        min(box.y1, first_output(input_size[1], output_size[1], core.y1)),
    )
