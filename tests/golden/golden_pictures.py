"""Which pictures are golden, how one is made, and how far off another is."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

FOLDER = Path(__file__).parent
# Runs that cut or compute differently agree to one level in fewer than one value in a thousand.
LEVELS, SHARE = 1, 1e-3


@dataclasses.dataclass(frozen=True)
class Case:
    """A picture by its name: ``size`` of the whole output, ``region`` in input pixels."""

    name: str
    size: tuple[int, int]
    region: tuple[int, int, int, int] | None = None


CASES = (
    Case("x2", (74, 58)),
    Case("x2.7", (100, 78)),
    Case("x3.3-by-2.1", (122, 61)),
    Case("region", (111, 87), (10, 5, 16, 12)),
)


def picture_of(up: Upscaler, case: Case) -> np.ndarray[Any, Any]:
    """The case's picture by an open upscaler, ``H x W x 3`` uint8."""
    return up(reference_card(37, 29), size=case.size, region=case.region)


def complaint(
    found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], name: str, folder: Path
) -> str | None:
    """None when the pictures agree; else how far off it is, having written both and their difference."""
    if found.shape != wanted.shape:
        return f"{name}: expected {_size(wanted)}, found {_size(found)}"
    difference = np.abs(found.astype(int) - wanted)
    share = float(np.mean(difference > 0))
    if difference.max() <= LEVELS and share < SHARE:
        return None
    psnr = 10 * math.log10(255**2 / float(np.mean(difference**2)))
    row, column = np.unravel_index(int(difference.max(axis=2).argmax()), difference.shape[:2])
    path = _write(found, wanted, difference, folder / f"{name}.png")
    return (
        f"{name}: {share:.2%} of the values differ, by {difference.max()} levels at most (row {row}, column "
        f"{column}), PSNR {psnr:.1f} dB; found, wanted and 16 times their difference side by side: {path}"
    )


def _size(picture: np.ndarray[Any, Any]) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def _write(
    found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], difference: np.ndarray[Any, Any], path: Path
) -> Path:
    from PIL import Image

    stronger = np.minimum(255, 16 * difference).astype(np.uint8)
    Image.fromarray(np.concatenate([found, wanted, stronger], axis=1)).save(path)
    return path
