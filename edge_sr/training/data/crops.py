"""The packed cache: HR crops of all pictures in one file, small enough to carry to another machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import InputError, InputNotFoundError, OutputExistsError
from edge_sr.training.data.cutting import Cuttings, cuttings
from edge_sr.training.data.packed_file import Stack, map_arrays, what_is_stated, write_arrays
from edge_sr.training.data.pictures import Picture, Pixels, Warn, find_pictures
from edge_sr.training.outputs import curve_path
from edge_sr.training.spec import DataSpec

SUFFIX = ".crops"
KIND, MADE_FROM = "crops", "made_from"


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


def collect(sources: list[Path], spec: DataSpec, cache: Path, warn: Warn, *, resume: bool = False) -> Crops:
    """Crops from folders of pictures, packed into ``cache`` unless they lie there; or from one packed file.

    The curve that a run draws beside ``cache`` is no picture to learn from, where that is a folder of pictures. Crops
    that were cut from other pictures, or otherwise, are cut anew; ``InputError`` for a run to ``resume``, which
    has learnt from them. Raises ``InputNotFoundError`` when there are not two pictures large enough, one for
    validation, and ``OutputExistsError`` for a ``cache`` that is not known to be one.
    """
    packed = [source for source in sources if source.is_file()]
    if packed and len(sources) > 1:
        raise InputError(f"give folders or one packed file, found {packed[0]} among {len(sources)} sources")
    if packed:
        return load(packed[0])
    curve = curve_path(cache).absolute()
    pictures = [one for one in find_pictures(sources, spec.listing) if one.path.absolute() != curve]
    if not _lie_there(pictures, spec, cache, resume):
        cut(pictures, spec, cache, warn)
    return load(cache)


def _lie_there(pictures: list[Picture], spec: DataSpec, cache: Path, resume: bool) -> bool:
    if not cache.is_file():
        return False
    stated = what_is_stated(cache).get(MADE_FROM)
    # What a run has learnt from, it goes on with, though files of before do not say what they were cut from.
    if stated == _made_from(pictures, spec) or (resume and stated is None):
        return True
    if resume:
        raise InputError(
            f"{cache} was cut from other pictures than --images names, or they have changed: name the same, "
            f"or --images {cache} to go on with its crops"
        )
    if stated is None:
        raise OutputExistsError(
            f"{cache} exists and does not say what it was cut from: name it as --images, or remove it"
        )
    return False


def _made_from(pictures: list[Picture], spec: DataSpec) -> str:
    """A digest of what decides about crops: which pictures, as they are now, and how they are cut."""
    listed = [[*dataclasses.astuple(picture), *_version(picture.path)] for picture in pictures]
    told = json.dumps([dataclasses.asdict(spec), listed], default=lambda path: str(path.absolute()))
    return hashlib.sha256(told.encode()).hexdigest()


def _version(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:  # it is told of when it is cut
        return ()
    return found.st_size, found.st_mtime_ns


def cut(pictures: list[Picture], spec: DataSpec, cache: Path, warn: Warn) -> None:
    """Pack crops of ``pictures``: some give their middle to validation, the others all their tiles."""
    made_from = _made_from(pictures, spec)
    kept: list[Pixels] = []
    apart = _kept_apart(pictures, spec.validation)
    with TileFile(cache.parent, spec.crop) as tiles:
        for one in cuttings(pictures, apart, spec):
            if one.complaint:
                warn(one.complaint)
            if one.middle is not None:
                kept.append(one.middle)
            tiles.extend(one)
        if not tiles.hardness or not kept:
            raise InputNotFoundError(
                f"expected at least two readable pictures of {spec.crop}x{spec.crop} pixels or more, "
                f"found {len(tiles.hardness) + len(kept)} crops; lower training.data.crop or name more folders"
            )
        write_arrays(cache, _stacks(tiles, kept, spec), KIND, **{MADE_FROM: made_from})


class TileFile:
    """Tiles as they are cut, on disk; which of them are kept is known only when all are."""

    def __init__(self, folder: Path, side: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._side = side
        self.hardness: list[float] = []

    def __enter__(self) -> TileFile:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def extend(self, cut: Cuttings) -> None:
        self.hardness.extend(cut.details)
        for tile in cut.tiles:
            self._file.write(tile.tobytes())

    def all(self) -> Pixels:
        """The tiles as a memory map, uint8 ``n x side x side x 3``."""
        self._file.flush()
        return np.memmap(self._file, np.uint8, "r", shape=(len(self.hardness), self._side, self._side, 3))


def _kept_apart(pictures: list[Picture], validation: int) -> set[Picture]:
    """Those that their listing marks, or else some all over the list."""
    marked = {picture for picture in pictures if picture.validation}
    wanted = min(validation, len(pictures) // 2)
    return marked or {pictures[index * len(pictures) // wanted] for index in range(wanted)}


def _stacks(tiles: TileFile, kept: list[Pixels], spec: DataSpec) -> dict[str, Stack]:
    room = max(1, spec.cache_mb * 2**20 // (3 * spec.crop**2) - len(kept))
    hardness = np.array(tiles.hardness, np.float32)
    # The flattest crops go first when there is not room for all; the rest keep their order.
    best = np.sort(np.argsort(-hardness, kind="stable")[:room])
    every = tiles.all()
    train = Stack(every.dtype, (len(best), *every.shape[1:]), (every[index] for index in best))
    return {"train": train, "validation": Stack.of(np.stack(kept)), "hardness": Stack.of(hardness[best])}


def load(path: Path) -> Crops:
    """A packed file, its crops as memory maps; raises ``InputError`` when it is none."""
    arrays = map_arrays(path)
    if set(arrays) != {field.name for field in dataclasses.fields(Crops)}:
        raise InputError(f"{path} is not a packed file of crops: it holds {', '.join(sorted(arrays))}")
    return Crops(**arrays)
