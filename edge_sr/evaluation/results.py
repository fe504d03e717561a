"""What an evaluation found, as data: written as JSON, read back to be merged into one report."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import ConfigError
from edge_sr.evaluation.crops import CROP_NAMES
from edge_sr.files.config import load_json
from edge_sr.quality import Quality

PROTOCOL = (
    "LR pictures by antialiased bicubic (a = -0.5, as imresize), rounded to 8 bits, from references cut at "
    "the bottom and right to fit the scale; psnr_y and ssim_y on BT.601 luma (16 to 235) less a border of "
    "ceil(scale) pixels, SSIM with an 11 x 11 Gaussian of sigma 1.5; psnr_rgb over three channels less "
    "ceil(scale) + 6 pixels; each figure the mean over the set's pictures."
)

HDR_PROTOCOL = (
    "The film is HDR, {signal}: all figures are of that signal at full depth, in levels of 0 to 255, and not of light; "
    "LR pictures are rounded to 10 bits instead of 8, and luma is BT.2020's."
)

Score = float | None
PNG_ADDRESS = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]*")


SIMPLE = ("bicubic", "lanczos")


@dataclasses.dataclass(frozen=True)
class Row:
    """Means over a set: dB, SSIM, dB. ``None`` stands for an infinite PSNR: every pixel of every picture right.

    ``equal``: how many pictures, equal to their reference on luma or in colour, a mean of PSNR leaves out. ``vmaf`` is
    0 to 100, ``None`` where it was not measured.
    """

    bundle: str
    precision: str
    scale: float
    psnr_y: Score
    ssim_y: Score
    psnr_rgb: Score
    images: int
    placement: str | None = None
    vmaf: float | None = None
    network: str | None = None
    equal: int | None = None

    def __post_init__(self) -> None:
        figures = (self.psnr_y, self.ssim_y, self.psnr_rgb, self.vmaf)
        if not all(math.isfinite(figure) for figure in figures if figure is not None):
            raise ConfigError(f"expected numbers or null as figures, found {figures}")
        if not 0 <= (self.equal or 0) <= self.images or not self.images:
            raise ConfigError(f"expected at least one picture, found {self.images}, {self.equal or 0} equal")
        _check_scale(self.scale)

    @property
    def label(self) -> str:
        """Bundle and precision; plain interpolation has none."""
        return self.bundle if self.bundle in SIMPLE else f"{self.bundle} {self.precision}"

    def mapping(self) -> dict[str, Any]:
        """The JSON form.

        ``placement`` only where a precision has several, ``vmaf`` where it was measured, ``network`` where the
        bundle holds another than DIINN, ``equal`` where a picture is.
        """
        optional = {name: getattr(self, name) for name in ("placement", "vmaf", "network", "equal")}
        absent = {key for key, value in optional.items() if value is None}
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in absent}


@dataclasses.dataclass(frozen=True)
class RowSpeed:
    """Time a row's pictures took: milliseconds for 10^6 output pixels, encoder and decoder apart."""

    bundle: str
    precision: str
    scale: float
    backend: str
    encoder_ms: float
    decoder_ms: float

    def __post_init__(self) -> None:
        if not (self.encoder_ms >= 0 and self.decoder_ms >= 0 and 0 < self.total_ms < math.inf):
            raise ConfigError(f"expected times above 0, found {self.encoder_ms} and {self.decoder_ms} ms")
        _check_scale(self.scale)

    @property
    def total_ms(self) -> float:
        return self.encoder_ms + self.decoder_ms


@dataclasses.dataclass(frozen=True)
class Worst:
    """One of a row's lowest pictures; ``box`` (x, y, width, height) is where it errs most, in output pixels.

    ``crops``: that box out of ``original``, ``network``, ``bicubic`` and the amplified ``difference``, as
    ``data:`` addresses of PNG files; empty in a run without a report.
    """

    bundle: str
    precision: str
    scale: float
    picture: str
    psnr_y: Score
    box: tuple[int, int, int, int]
    crops: dict[str, str]

    def __post_init__(self) -> None:
        if self.crops and set(self.crops) != set(CROP_NAMES):
            raise ConfigError(f"crops must be {', '.join(CROP_NAMES)}, found {', '.join(self.crops)}")
        # What a page takes over from a stranger's file.
        if not all(PNG_ADDRESS.fullmatch(address) for address in self.crops.values()):
            raise ConfigError("crops must be data:image/png;base64 addresses")
        _check_scale(self.scale)


@dataclasses.dataclass(frozen=True)
class LayerLoss:
    """What rounding one layer alone cost when the bundle was calibrated, in dB; ``rounded``: whether it is."""

    bundle: str
    placement: str
    layer: str
    mean_db: float
    worst_db: float
    rounded: bool


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One run over one set of references on one machine."""

    set: str
    protocol: str
    machine: dict[str, Any]
    results: tuple[Row, ...]
    rivals: tuple[Row, ...]
    speed: tuple[RowSpeed, ...]
    worst: tuple[Worst, ...]
    layers: tuple[LayerLoss, ...] = ()

    def __post_init__(self) -> None:
        if not self.results:
            raise ConfigError("expected at least one row of results, found none")

    def mapping(self) -> dict[str, Any]:
        """The JSON form, which ``load`` reads."""
        plain = dataclasses.asdict(self)
        return {
            **plain,
            "results": [row.mapping() for row in self.results],
            "rivals": [row.mapping() for row in self.rivals],
        }


def load(path: Path) -> Evaluation:
    """An evaluation written by ``edge-sr evaluate --json``; ``ConfigError`` when it is anything else."""
    return load_json(path, Evaluation)


def _check_scale(scale: float) -> None:
    if not 1 <= scale < math.inf:
        raise ConfigError(f"expected a scale of at least 1, found {scale}")


def mean_row(
    bundle: str,
    precision: str,
    scale: Fraction,
    values: list[Quality],
    placement: str | None = None,
    vmaf: float | None = None,
) -> Row:
    """The means of ``values``, one entry a picture."""
    psnr_y, ssim_y, psnr_rgb = (_mean(column) for column in zip(*values, strict=True))
    equal = sum(not all(map(math.isfinite, quality)) for quality in values)
    return Row(
        bundle,
        precision,
        number(scale),
        psnr_y,
        ssim_y,
        psnr_rgb,
        len(values),
        placement,
        vmaf,
        equal=equal or None,
    )


def _mean(values: Iterable[float]) -> Score:
    """Of those that are finite: one black frame, equal to its reference, would decide for a whole film."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else None


def finite(value: float) -> Score:
    """``value``, or ``None`` for infinity, which JSON has no word for."""
    return value if math.isfinite(value) else None


def number(scale: Fraction) -> float:
    """A scale as people write it: 2, not 2.0."""
    return int(scale) if scale.denominator == 1 else float(scale)
