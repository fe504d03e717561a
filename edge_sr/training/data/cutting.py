"""Crops of pictures, on all cores: to decode and shrink hundreds of pictures takes one core minutes."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

import numpy as np

from edge_sr.errors import MediaError, MissingError
from edge_sr.machine.description import available_cores
from edge_sr.training.data.pictures import Picture, Pixels, read_for_crops, shrunk
from edge_sr.training.data.processes import picture_processes
from edge_sr.training.spec import DataSpec

# With fewer pictures a process would take longer to start than it saves.
WORTH_PROCESSES = 32


@dataclasses.dataclass
class Cuttings:
    """What one picture gives: tiles with their ``detail``, or for validation its ``middle``; or a ``complaint``."""

    tiles: list[Pixels] = dataclasses.field(default_factory=list)
    details: list[float] = dataclasses.field(default_factory=list)
    middle: Pixels | None = None
    complaint: str = ""


def cuttings(pictures: list[Picture], apart: set[Picture], spec: DataSpec) -> Iterator[Cuttings]:
    """Of each picture, in their order; those ``apart`` give their middle."""
    asked = [(picture, picture in apart, spec) for picture in pictures]
    cores = available_cores()
    if cores == 1 or len(pictures) < WORTH_PROCESSES:
        yield from (_cut(*one) for one in asked)
        return
    with picture_processes() as pool:
        pending: collections.deque[Future[Cuttings]] = collections.deque()
        for one in asked:
            pending.append(pool.submit(_cut, *one))
            # What waits to be written is held in memory.
            if len(pending) > 2 * cores:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _cut(picture: Picture, apart: bool, spec: DataSpec) -> Cuttings:
    try:
        pixels = read_for_crops(picture, spec.crop)
    except (MediaError, MissingError) as error:
        return Cuttings(complaint=f"skipped: {error}")
    if apart:
        return Cuttings(middle=_middle(pixels, spec.crop))
    tiles = [tile for shrink in spec.shrinks for tile in _tiles(shrunk(pixels, shrink), spec.crop)]
    return Cuttings(tiles, [detail(tile) for tile in tiles])


def _middle(pixels: Pixels, side: int) -> Pixels:
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side].copy()


def _tiles(pixels: Pixels, side: int) -> Iterable[Pixels]:
    for top in _starts(pixels.shape[0], side):
        for left in _starts(pixels.shape[1], side):
            yield pixels[top : top + side, left : left + side].copy()


def _starts(length: int, side: int) -> list[int]:
    """Where crops begin along an axis, from edge to edge: as many as each show a quarter that no other shows."""
    if length < side:
        return []
    steps = math.ceil((length - side) / side - 0.25)
    return (
        [index * (length - side) // steps for index in range(steps + 1)] if steps else [(length - side) // 2]
    )


def detail(pixels: Pixels) -> float:
    """Mean absolute second difference of green, in levels: what a shrunk picture loses."""
    green = pixels[..., 1].astype(np.float32)
    across = np.abs(green[:, 2:] - 2 * green[:, 1:-1] + green[:, :-2]).mean()
    down = np.abs(green[2:] - 2 * green[1:-1] + green[:-2]).mean()
    return float(across + down) / 2
