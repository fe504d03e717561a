"""Which references become calibration frames: different ones, with something to see, as small crops."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge_sr.calibration.frames.synthetic import synthetic_image
from edge_sr.calibration.recipe import Recipe
from edge_sr.errors import InputError
from edge_sr.quality import luma, pair_sizes
from edge_sr.resample import resize
from edge_sr.tensors import SMALLEST_SIDE, reference_card
from edge_sr.video.hr_references import HrReference

CARD = "reference card"
THUMBNAIL = 16
FLAT = 1.0  # standard deviation of the luma, in levels, below which there is nothing to see
ALIKE = 1.5  # mean difference of two thumbnails, in levels, below which they show the same
BORDER = 14  # what the measures leave out at most at scale 8, and then some


@dataclasses.dataclass(frozen=True)
class Sample:
    """A crop of a reference, or a built-in picture (``synthetic``): uint8 ``H x W x 3``, and its pixels' SHA-256."""

    name: str
    high: NDArray[np.uint8]
    sha256: str
    synthetic: bool = False

    @classmethod
    def of(cls, name: str, high: NDArray[np.uint8], *, synthetic: bool = False) -> Sample:
        return cls(name, high, hashlib.sha256(high.tobytes()).hexdigest(), synthetic)

    def pair(self, scale: Fraction) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The low-resolution frame at ``scale`` and the reference cut to fit it."""
        sizes = pair_sizes((self.high.shape[1], self.high.shape[0]), scale)
        high = np.ascontiguousarray(self.high[: sizes.high[1], : sizes.high[0]])
        return resize(high, sizes.low), high


@dataclasses.dataclass(frozen=True)
class Frames:
    """Frames that give the ranges, frames held out to measure the loss, and how many were left out and why."""

    ranges: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    flat: int
    alike: int
    small: int
    spare: int

    def digest(self) -> str:
        """One hash over all frames in order."""
        every = "".join(sample.sha256 for sample in (*self.ranges, *self.held_out))
        return hashlib.sha256(every.encode()).hexdigest()

    def summary(self) -> str:
        left = f"{self.alike} alike, {self.flat} of one colour, {self.small} too small, {self.spare} to spare"
        synthetic = sum(sample.synthetic for sample in (*self.ranges, *self.held_out))
        used = f"{len(self.ranges)} frames for the ranges, {len(self.held_out)} held out, {synthetic} of both built in"
        return f"{used}; left out: {left}"


@dataclasses.dataclass
class _Sieve:
    """Collects crops of references that are large, lively and unlike those before."""

    crop: int
    smallest: int
    samples: list[Sample] = dataclasses.field(default_factory=list)
    thumbnails: list[NDArray[np.float32]] = dataclasses.field(default_factory=list)
    flat: int = 0
    alike: int = 0
    small: int = 0

    def add(self, reference: HrReference) -> None:
        if min(reference.pixels.shape[:2]) < self.smallest:
            self.small += 1
            return
        high = liveliest_crop(reference.pixels, self.crop)
        if float(luma(high).std()) < FLAT:
            self.flat += 1
            return
        thumbnail = _thumbnail(reference.pixels)
        if any(float(np.abs(thumbnail - other).mean()) < ALIKE for other in self.thumbnails):
            self.alike += 1
            return
        self.samples.append(Sample.of(reference.name, high))
        self.thumbnails.append(thumbnail)


def choose_frames(references: Iterable[HrReference], recipe: Recipe) -> Frames:
    """Sort the references into frames for ranges and frames to measure the loss.

    Of more than are needed those that differ most are taken. Raises ``InputError`` when fewer than two are
    left, for the loss must be measured on frames that gave no ranges.
    """
    largest = max(recipe.exact_scales)
    smallest = max(2 * BORDER + SMALLEST_SIDE, math.ceil(largest * SMALLEST_SIDE))
    sieve = _Sieve(recipe.crop, smallest)
    for reference in references:
        sieve.add(reference)
    wanted = recipe.range_frames + recipe.loss_frames
    chosen = [sieve.samples[i] for i in _most_different(sieve.thumbnails, wanted)]
    if len(chosen) < 2:
        raise InputError(
            f"expected at least 2 different frames to calibrate from, found {len(chosen)} "
            f"({sieve.alike} alike, {sieve.flat} of one colour, {sieve.small} below {smallest} pixels): "
            "give more"
        )
    held = _held_out(len(chosen), recipe)
    held_out = tuple(sample for i, sample in enumerate(chosen) if i in held)
    ranges = tuple(sample for i, sample in enumerate(chosen) if i not in held)
    spare = len(sieve.samples) - len(chosen)
    synthetic = [_synthetic(i, recipe.crop) for i in range(2 * recipe.synthetic_images)]
    built_in = (*_card(recipe), *synthetic[recipe.synthetic_images :])
    held_synthetic = synthetic[: recipe.synthetic_images]
    return Frames(
        (*ranges, *built_in), (*held_out, *held_synthetic), sieve.flat, sieve.alike, sieve.small, spare
    )


def _card(recipe: Recipe) -> tuple[Sample, ...]:
    """The built-in picture: hard edges and full colours that photographs seldom have."""
    if not recipe.reference_card:
        return ()
    return (Sample.of(CARD, reference_card(recipe.crop, recipe.crop), synthetic=True),)


def _synthetic(index: int, side: int) -> Sample:
    return Sample.of(f"synthetic image {index}", synthetic_image(index, side), synthetic=True)


def _held_out(count: int, recipe: Recipe) -> frozenset[int]:
    """Spread evenly, and at least one frame for either use."""
    share = recipe.loss_frames / (recipe.loss_frames + recipe.range_frames)
    number = min(max(1, round(count * share)), count - 1)
    return frozenset((2 * i + 1) * count // (2 * number) for i in range(number))


def _most_different(thumbnails: list[NDArray[np.float32]], wanted: int) -> list[int]:
    """Indices, rising: the first, then again and again the one farthest from all taken so far."""
    if len(thumbnails) <= wanted:
        return list(range(len(thumbnails)))
    every = np.stack([thumbnail.reshape(-1) for thumbnail in thumbnails])
    taken, distance = [0], np.abs(every - every[0]).mean(1)
    while len(taken) < wanted:
        taken.append(int(distance.argmax()))
        distance = np.minimum(distance, np.abs(every - every[taken[-1]]).mean(1))
    return sorted(taken)


def liveliest_crop(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Of nine crops of at most ``side`` pixels, spread over the picture, the one whose luma changes most."""
    height, width = pixels.shape[:2]
    tall, wide = min(side, height), min(side, width)
    corners = [(y * (height - tall) // 2, x * (width - wide) // 2) for y in range(3) for x in range(3)]
    crops = [pixels[y : y + tall, x : x + wide] for y, x in dict.fromkeys(corners)]
    return np.ascontiguousarray(max(crops, key=_liveliness))


def _liveliness(crop: NDArray[np.uint8]) -> float:
    plane = luma(crop)
    return float(np.abs(np.diff(plane, axis=0)).mean() + np.abs(np.diff(plane, axis=1)).mean())


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    step_y, step_x = (max(1, side // (4 * THUMBNAIL)) for side in pixels.shape[:2])
    sparse = np.ascontiguousarray(pixels[::step_y, ::step_x])
    return resize(sparse, (THUMBNAIL, THUMBNAIL)).astype(np.float32)
