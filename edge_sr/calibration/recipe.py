"""Calibration recipes: what to calibrate from, how ranges are found, and the PSNR that may be lost."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import ConfigError, OptionError
from edge_sr.files.config import load_toml
from edge_sr.sizes import parse_scale

METHODS = ("minmax", "percentile", "entropy", "mse")
PARTS = ("encoder", "decoder")
BASES = ("fp16", "fp32")
RESIDUALS = ("float", "int8")
SCALES = ("1.5", "2", "2.5", "3", "4")
KEEP = ("encoder.head",)
MOST_SYNTHETIC, MOST_CROP = 100, 4096


@dataclasses.dataclass(frozen=True)
class Budget:
    """PSNR that INT8 may lose against FP32, in dB of luma: on average, and on the worst frame and scale."""

    mean_db: float = 0.05
    worst_db: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.mean_db <= self.worst_db < math.inf:
            raise ConfigError(f"expected 0 < mean_db <= worst_db, found {self.mean_db} and {self.worst_db}")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe, ``calibration/recipes/*.toml``.

    ``range_frames`` give the ranges, ``loss_frames`` the PSNR loss; each is a crop of at most ``crop`` pixels a
    side of a reference. ``keep`` names layers that stay in high precision whatever they cost.
    ``high_precision`` is what surrounds the quantised layers in TensorRT's scheme. ``reference_card``
    adds a built-in picture to the ranges, ``equalise`` brings channels to like ranges. ``residual``
    says whether the residual stream is rounded to 8 bits as well. ``least_share`` of the
    multiply-adds must be quantised for the result to count as INT8. ``table`` names a scale table, relative
    to the recipe, to use again instead of looking for ranges and layers; its loss is measured anew.
    """

    name: str = "default"
    method: str = "mse"
    percentile: float = 99.99
    range_frames: int = 32
    loss_frames: int = dataclasses.field(default=12, metadata={"formerly": "price_frames"})
    synthetic_images: int = dataclasses.field(default=12, metadata={"formerly": "drawings"})
    crop: int = 192
    scales: tuple[str, ...] = ()
    parts: tuple[str, ...] = ("encoder",)
    keep: tuple[str, ...] = KEEP
    high_precision: str = "fp16"
    least_share: float = 0.5
    reference_card: bool = True
    equalise: bool = True
    residual: str = "float"
    table: str = ""
    budget: Budget = dataclasses.field(default_factory=Budget)

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("high_precision", self.high_precision, BASES)
        _one_of("residual", self.residual, RESIDUALS)
        for part in self.parts:
            _one_of("parts", part, PARTS)
        if not self.parts:
            raise ConfigError("parts must name the encoder, the decoder or both, found none")
        if not 50 < self.percentile <= 100:
            raise ConfigError(f"percentile must lie above 50 and be at most 100, found {self.percentile}")
        if min(self.range_frames, self.loss_frames) < 1:
            raise ConfigError("range_frames and loss_frames must be at least 1")
        if not 32 <= self.crop <= MOST_CROP:
            raise ConfigError(f"crop must lie between 32 and {MOST_CROP}, found {self.crop}")
        if not 0 <= self.synthetic_images <= MOST_SYNTHETIC:
            raise ConfigError(
                f"synthetic_images must lie between 0 and {MOST_SYNTHETIC}, found {self.synthetic_images}"
            )
        if not 0 <= self.least_share <= 1:
            raise ConfigError(f"least_share must lie between 0 and 1, found {self.least_share}")
        try:
            _ = self.exact_scales
        except OptionError as error:
            raise ConfigError(f"scales: {error}") from error

    @property
    def exact_scales(self) -> tuple[Fraction, ...]:
        return tuple(parse_scale(scale) for scale in self.scales or SCALES)

    def settled(self, own: int) -> Recipe:
        """With scales stated: of a network that enlarges ``own`` times, that first, and others where asked for."""
        if own == 1:
            return dataclasses.replace(self, scales=self.scales or SCALES)
        others = (scale for scale in self.scales if parse_scale(scale) != own)
        return dataclasses.replace(self, scales=(str(own), *others))


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file; ``ConfigError`` names an unknown key or a wrong value."""
    return load_toml(path, Recipe)


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{key} must be one of {', '.join(known)}, found {value!r}")
