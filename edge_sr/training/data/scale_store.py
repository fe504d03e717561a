"""Where a run keeps its crops at every scale: beside the checkpoint, made once, read as memory maps.

Held in memory they would take four times what the crops do. A run that is resumed finds them as they were.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from edge_sr.errors import OutputExistsError
from edge_sr.files.atomic import write_whole
from edge_sr.files.drafts import remove_dead_drafts
from edge_sr.quality import pair_sides
from edge_sr.training.data.packed_file import Stack, map_arrays, write_arrays
from edge_sr.training.data.pictures import Pixels
from edge_sr.training.data.scale_set import ScaledCrops, Shrink, bicubic_stack, placed_crops, shrinker
from edge_sr.training.spec import TrainingSpec

SUFFIX = ".scales"
INDEX = "made-from.json"
# Crops shrunk at a time.
CHUNK = 512


class ScaleStore:
    """``crops`` (uint8 ``n x side x side x 3``) at one scale and another, in ``folder``.

    What lies there already is used if it was made from the same crops in the same way, and made anew if not. Raises
    ``OutputExistsError`` for a folder of something else.
    """

    def __init__(self, folder: Path, crops: Pixels, spec: TrainingSpec) -> None:
        self._folder, self.crops, self._shrink = folder, crops, shrinker(spec)
        made_from = json.dumps(_made_from(crops, spec), indent=2) + "\n"
        index = folder / INDEX
        if index.is_file() and index.read_text(encoding="utf-8") == made_from:
            return
        remove_dead_drafts(folder)
        if folder.exists() and not index.is_file() and any(folder.iterdir()):
            raise OutputExistsError(
                f"{folder} is not a training run's folder of scales: move it or name another checkpoint"
            )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        write_whole(index, made_from.encode())

    def scaled(self, scale: Fraction) -> ScaledCrops:
        """All crops at ``scale``, shrunk as the evaluation does and degraded as the spec says."""
        low, high = pair_sides(self.crops.shape[1], scale)
        shrunk = self._stack(f"low-{_named(scale)}", self.crops[:, :high, :high], low, self._shrink)
        return placed_crops(scale, shrunk, high)

    def enlarged(self, scaled: ScaledCrops) -> Pixels:
        """Its LR crops by bicubic at the size of its HR crops."""
        assert not isinstance(scaled.low, Tensor)
        return self._stack(f"enlarged-{_named(scaled.scale)}", scaled.low, scaled.high, bicubic_stack)

    def _stack(self, name: str, crops: Pixels, side: int, resized: Shrink) -> Pixels:
        path = self._folder / name
        if not path.is_file():
            chunks = (crops[first : first + CHUNK] for first in range(0, len(crops), CHUNK))
            entries = (entry for chunk in chunks for entry in resized(chunk, (side, side)))
            shape = (len(crops), side, side, 3)
            write_arrays(path, {"pixels": Stack(crops.dtype, shape, entries)}, "scale")
        return map_arrays(path)["pixels"]


def _made_from(crops: Pixels, spec: TrainingSpec) -> dict[str, Any]:
    # A few crops stand for all: a run whose pictures changed has another file of crops.
    some = hashlib.sha256(np.ascontiguousarray(crops[:: max(1, len(crops) // 64)]).tobytes())
    degradation = {"degradation": spec.data.degradation, "seed": spec.seed}
    return {"crops": list(crops.shape), "sha256": some.hexdigest(), **degradation}


def _named(scale: Fraction) -> str:
    return f"x{scale.numerator}-{scale.denominator}"
