"""The packed cache: HR crops of all pictures in one file, small enough to carry to another machine."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sr.atomic_file import write_whole
from edge_sr.errors import InputError, InputNotFoundError
from edge_sr.optional import require
from edge_sr.training.data.pictures import Picture, Pixels, Warn, find_pictures, read_pictures, shrunk
from edge_sr.training.spec import DataSpec

SUFFIX = ".crops"


@dataclasses.dataclass(frozen=True)
class Crops:
    """``train``, ``validation``: uint8 ``n x side x side x 3``; ``hardness``: float32, for ``train``."""

    train: Pixels
    validation: Pixels
    hardness: NDArray[np.float32]

    @property
    def side(self) -> int:
        return int(self.train.shape[1])

    def weights(self) -> NDArray[np.float64]:
        """How often each training crop is drawn: detailed ones more, none less than half the mean."""
        relative = np.sqrt(self.hardness / max(float(self.hardness.mean()), 1e-6))
        weights = np.clip(relative, 0.5, 2.0).astype(np.float64)
        share: NDArray[np.float64] = weights / weights.sum()
        return share


def collect(sources: list[Path], spec: DataSpec, warn: Warn) -> Crops:
    """Crops from folders of pictures, or from one packed file.

    Raises ``InputNotFoundError`` when there are not two pictures large enough, one for validation.
    """
    packed = [source for source in sources if source.is_file()]
    if packed and len(sources) > 1:
        raise InputError(f"give folders or one packed file, found {packed[0]} among {len(sources)} sources")
    if packed:
        return load(packed[0])
    return cut(find_pictures(sources, spec.listing), spec, warn)


def cut(pictures: list[Picture], spec: DataSpec, warn: Warn) -> Crops:
    """Cut ``pictures``: every ``n``-th gives its middle to validation, the others all their tiles."""
    kept: list[Pixels] = []
    tiles: list[Pixels] = []
    apart = _kept_apart(len(pictures), spec.validation)
    order = {picture.path: index for index, picture in enumerate(pictures)}
    for picture, pixels in read_pictures(pictures, warn):
        if min(pixels.shape[:2]) < spec.crop:
            warn(f"skipped {picture.path}: smaller than a crop of {spec.crop} pixels")
        elif order[picture.path] in apart:
            kept.append(_middle(pixels, spec.crop))
        else:
            for shrink in spec.shrinks:
                tiles.extend(_tiles(shrunk(pixels, shrink), spec.crop))
    if not tiles or not kept:
        raise InputNotFoundError(
            f"expected at least two readable pictures of {spec.crop}x{spec.crop} pixels or more, "
            f"found {len(tiles) + len(kept)} crops; lower data.crop or name more folders"
        )
    return _selected(tiles, kept, spec)


def _kept_apart(count: int, validation: int) -> set[int]:
    if count < 2:
        return set()
    wanted = min(validation, count // 2)
    return {index * count // wanted for index in range(wanted)}


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


def _selected(tiles: list[Pixels], kept: list[Pixels], spec: DataSpec) -> Crops:
    room = max(1, spec.cache_mb * 2**20 // (3 * spec.crop**2) - len(kept))
    hardness = np.array([detail(tile) for tile in tiles], np.float32)
    # The flattest crops go first when there is not room for all; the rest keep their order.
    best = np.sort(np.argsort(-hardness, kind="stable")[:room])
    return Crops(np.stack([tiles[index] for index in best]), np.stack(kept), hardness[best])


def detail(pixels: Pixels) -> float:
    """Mean absolute second difference of green, in levels: what a shrunk picture loses."""
    green = pixels[..., 1].astype(np.float32)
    across = np.abs(green[:, 2:] - 2 * green[:, 1:-1] + green[:, :-2]).mean()
    down = np.abs(green[2:] - 2 * green[1:-1] + green[:-2]).mean()
    return float(across + down) / 2


def save(crops: Crops, path: Path) -> None:
    """Write a packed file whole: safetensors, readable on any machine."""
    safetensors = require("safetensors.numpy", "packing crops")
    tensors = {field.name: getattr(crops, field.name) for field in dataclasses.fields(crops)}
    content = safetensors.save(tensors, metadata={"edge_sr": json.dumps({"crops": 1})})
    write_whole(path, content)


def load(path: Path) -> Crops:
    """Read a packed file; raises ``InputError`` when it is none."""
    safetensors = require("safetensors.numpy", "reading packed crops")
    try:
        tensors = safetensors.load_file(path)
        return Crops(tensors["train"], tensors["validation"], tensors["hardness"])
    except Exception as error:  # safetensors raises its own type, which has no public name in older releases
        raise InputError(f"{path} is not a packed file of crops: {error}") from error
