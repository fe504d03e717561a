"""What stands still is not computed again.

An output pixel depends on the LR pixels within the network's radius and on nothing else. So a tile whose
input, dilated by that radius, is what it was, keeps its output. Tiles that changed are gathered into
rectangles, each one a region decode with its own halo, and where that would cost more than the frame as a
whole, the whole frame is computed: full motion costs a comparison of a few rows and no more.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_sr.sizes import Box, Region, Size, output_region
from edge_sr.upscaler import PartTimes, Result

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

TILE = 16
# Rows looked at first, and the share of changed tiles in them that settles the matter.
SAMPLED_ROWS = 16
MOTION = 0.6
# A region costs about as much as so many LR pixels on top of its own, for the calls it takes.
CALL_PIXELS = 600
# Partial work is worth it below this share of the whole.
WORTHWHILE = 0.85
MOST_REGIONS = 24


class Parts(Protocol):
    """Computes a part of a frame at a size, or with no region all of it."""

    def __call__(self, frame: Picture, size: Size, region: Region | None) -> Result: ...


@dataclasses.dataclass(frozen=True)
class Work:
    """What a frame took: tiles reused, of how many, and the share of it that was encoded and decoded."""

    reused: int
    tiles: int
    encoded: float
    decoded: float


class StaticTileUpscaler:
    """Upscales a stream's frames, recomputing only what changed since the frame before.

    ``network`` computes, and reads ``radius`` LR pixels around each; ``threshold`` is how many of 255 levels a value
    may differ and count as unchanged. At 0 the result equals the whole computation as far as two different cuts of
    one frame do. ``work`` tells what the last frame took. The picture returned must not be written to.
    """

    def __init__(self, network: Parts, radius: int, threshold: int = 0) -> None:
        self._network, self._radius = network, radius
        self._threshold = threshold
        self._reference: Picture | None = None
        self._result: Picture | None = None
        self.work = Work(0, 0, 1.0, 1.0)

    def __call__(self, frame: Picture, size: Size) -> Result:
        """``frame``, uint8 ``h x w x 3``, at ``size``; its times are those of what was computed anew."""
        tiles = _tile_count(frame)
        boxes = self._changed_boxes(frame, size)
        if boxes is None:
            self._reference = frame.copy() if self._threshold else frame
            result = self._network(frame, size, None)
            self.work = Work(0, tiles, 1.0, 1.0)
        elif boxes:
            result = self._recomputed(frame, size, boxes)
        else:
            assert self._result is not None
            result = Result(self._result, PartTimes())
            self.work = Work(tiles, tiles, 0.0, 0.0)
        self._result = result.frame
        return result

    def _changed_boxes(self, frame: Picture, size: Size) -> list[Box] | None:
        """The LR boxes to compute, None for the whole frame."""
        old = self._reference
        if old is None or self._result is None or old.shape != frame.shape:
            return None
        if self._result.shape[:2] != (size[1], size[0]) or self._in_motion(frame, old):
            return None
        changed = self._difference(frame, old)
        if not changed.any():
            return []
        # One more than the radius: rounded region borders may take an output whose LR pixel is the next one.
        dirty = dirty_tiles(changed, self._radius + 1)
        self._dirty = dirty
        boxes = list(rectangles(dirty, frame.shape[:2], self._radius))
        self._keep_reference(frame, changed)
        if self._cost(boxes, frame) > WORTHWHILE:
            return None
        return boxes

    def _in_motion(self, frame: Picture, old: Picture) -> bool:
        """Whether the rows looked at differ nearly everywhere."""
        rows = slice(SAMPLED_ROWS // 2, None, SAMPLED_ROWS)
        if not len(frame[rows]):
            return False
        return float(_tiled(self._difference(frame[rows], old[rows]), 1, TILE).mean()) > MOTION

    def _difference(self, frame: Picture, old: Picture) -> Mask:
        """Which pixels changed, ``h x w``."""
        if self._threshold == 0:
            values = frame != old
        else:
            values = np.maximum(frame, old) - np.minimum(frame, old) > self._threshold
        changed: Mask = values[..., 0] | values[..., 1] | values[..., 2]
        return changed

    def _keep_reference(self, frame: Picture, changed: Mask) -> None:
        """With a threshold, a pixel's reference is its value when its tiles were last computed for it."""
        if self._threshold == 0:
            self._reference = frame
        else:
            assert self._reference is not None
            np.copyto(self._reference, frame, where=changed[..., None])

    def _cost(self, boxes: list[Box], frame: Picture) -> float:
        height, width = frame.shape[:2]
        return sum(_region_cost(box, (width, height), self._radius) for box in boxes) / (
            _region_cost(Box(0, 0, width, height), (width, height), self._radius)
        )

    def _recomputed(self, frame: Picture, size: Size, boxes: list[Box]) -> Result:
        assert self._result is not None
        source = (frame.shape[1], frame.shape[0])
        # The last result may still be on its way to the sink.
        picture, times = self._result.copy(), PartTimes()
        for box in boxes:
            region = (box.x0, box.y0, box.width, box.height)
            part = self._network(frame, size, region)
            picture[output_region(region, source, size).slices] = part.frame
            times += part.times
        self.work = self._account(boxes, source)
        return Result(picture, times)

    def _account(self, boxes: list[Box], size: Size) -> Work:
        pixels = size[0] * size[1]
        padded = (_padded(box, size, self._radius) for box in boxes)
        encoded = sum(box.width * box.height for box in padded) / pixels
        decoded = sum(box.width * box.height for box in boxes) / pixels
        return Work(int((~self._dirty).sum()), self._dirty.size, encoded, decoded)


def _tile_count(frame: Picture) -> int:
    height, width = frame.shape[:2]
    return int(-(-height // TILE) * -(-width // TILE))


def _tiled(mask: Mask, height: int, width: int) -> Mask:
    """Whether anything is set in each cell of ``height x width``."""
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], height), axis=0)
    found: Mask = np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], width), axis=1)
    return found


def dirty_tiles(changed: Mask, radius: int) -> Mask:
    """For each tile of 16 x 16 whether any pixel in it, or within ``radius`` of it, changed."""
    rows = np.stack([window.any(axis=0) for window in _windows(changed, radius)])
    return np.stack([window.any(axis=0) for window in _windows(np.ascontiguousarray(rows.T), radius)], axis=1)


def _windows(mask: Mask, radius: int) -> Iterator[Mask]:
    for start in range(0, mask.shape[0], TILE):
        yield mask[max(0, start - radius) : start + TILE + radius]


def rectangles(dirty: Mask, shape: tuple[int, ...], radius: int) -> Iterator[Box]:
    """LR boxes that cover the dirty tiles without overlapping, few where one halo is cheaper than two."""
    cell = TILE
    while len(runs := _runs(dirty)) > MOST_REGIONS:
        dirty, cell = _tiled(dirty, 2, 2), cell * 2
    size = (shape[1], shape[0])
    boxes = [
        Box(x0 * cell, y0 * cell, min(x1 * cell, size[0]), min(y1 * cell, size[1])) for x0, y0, x1, y1 in runs
    ]
    yield from _merged(boxes, size, radius)


def _runs(dirty: Mask) -> list[tuple[int, int, int, int]]:
    """Runs of dirty tiles in a row; a run that repeats in the next row grows downwards."""
    done: list[tuple[int, int, int, int]] = []
    growing: dict[tuple[int, int], int] = {}
    for y, row in enumerate(dirty):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.view(np.int8), [0]))))
        spans = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        for span in [span for span in growing if span not in spans]:
            done.append((span[0], growing.pop(span), span[1], y))
        for span in spans:
            growing.setdefault(span, y)
    return done + [(x0, y0, x1, len(dirty)) for (x0, x1), y0 in growing.items()]


def _merged(boxes: list[Box], size: Size, radius: int) -> list[Box]:
    """Joins two boxes wherever one around both costs no more, and any that overlap."""
    merging = True
    while merging:
        merging = False
        for j, i in itertools.combinations(range(len(boxes)), 2):
            union = _union(boxes[i], boxes[j])
            apart = sum(_region_cost(box, size, radius) for box in (boxes[i], boxes[j]))
            if _overlap(boxes[i], boxes[j]) or _region_cost(union, size, radius) <= apart:
                boxes = [box for k, box in enumerate(boxes) if k not in (i, j)] + [union]
                merging = True
                break
    return boxes


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def _overlap(a: Box, b: Box) -> bool:
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


def _padded(box: Box, size: Size, radius: int) -> Box:
    return Box(
        max(0, box.x0 - radius),
        max(0, box.y0 - radius),
        min(size[0], box.x1 + radius),
        min(size[1], box.y1 + radius),
    )


def _region_cost(box: Box, size: Size, radius: int) -> float:
    """In LR pixels: half for encoding the box with its halo, half for decoding it, and the calls."""
    padded = _padded(box, size, radius)
    return (padded.width * padded.height + box.width * box.height) / 2 + CALL_PIXELS
