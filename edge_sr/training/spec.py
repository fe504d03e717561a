"""How a network is trained: the ``[training]`` table of a model spec. Nothing here needs PyTorch."""

from __future__ import annotations

import dataclasses
import math

from edge_sr.errors import ConfigError
from edge_sr.files.config import from_mapping
from edge_sr.spec import ModelSpec

DEGRADATIONS = ("none", "codec")
BRANCHES = ("1x1", "identity", "1x1-3x3")
MOST_RATE, MOST_SEED = 1.0, 2**63 - 1


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """What a network learns from.

    ``crop``: side of the HR crops in pixels; ``cache_mb``: size of the packed crops, which decides how many
    there are; ``listing``: name of a tab-separated file in each folder that lists pictures with the factor to
    shrink them by first ("" for all pictures as they are); ``shrinks``: factors to take each picture at from
    there, for more to learn from few pictures; ``validation``: pictures kept apart;
    ``degradation``: what LR crops go through besides; ``scale_count``: how many scales they are made for.
    """

    crop: int = 256
    cache_mb: int = 50
    listing: str = ""
    shrinks: tuple[float, ...] = (1.0,)
    validation: int = 8
    degradation: str = "none"
    scale_count: int = 24

    def __post_init__(self) -> None:
        _at_least(
            "training.data",
            1,
            cache_mb=self.cache_mb,
            validation=self.validation,
            scale_count=self.scale_count,
        )
        _at_least("training.data", 64, crop=self.crop)
        if not self.shrinks or not all(1 <= factor < math.inf for factor in self.shrinks):
            raise ConfigError(f"training.data.shrinks must name factors of at least 1, found {self.shrinks}")
        _one_of("training.data.degradation", self.degradation, DEGRADATIONS)


@dataclasses.dataclass(frozen=True)
class ScheduleSpec:
    """How it learns: ``batch`` patches of ``patch x patch`` LR pixels, ``samples`` HR pixels in each of them.

    ``scales``: smallest and largest; ``whole_share`` of the batches takes x2, x3 or x4 exactly, ``half_share``
    x1.5, x2.5 or x3.5, ``far_share`` a scale between the largest and ``far_scale``. The rate warms up over
    ``warmup`` steps and falls along a cosine from ``rate`` to ``last_rate``; a ``kernel_rate`` other than 0
    follows the same curve and is that of Muon, which then moves the kernels between hidden features in Adam's
    stead. The loss is L1, and from the fraction ``psnr_from`` of the run on the logarithm of the squared error,
    which is what PSNR averages; ``luma_share`` of both is taken on luma. ``steadiness`` weighs how much of fresh
    noise gets through, added to the loss: every step then takes twice as long. ``distil_share`` of each target is
    what the teacher makes of ``distil_turns`` of the eight turns and mirrorings, on average.
    """

    batch: int = 16
    patch: int = 48
    samples: int = 1
    scales: tuple[float, float] = (1.1, 4.0)
    whole_share: float = 0.4
    half_share: float = 0.0
    far_share: float = 0.04
    far_scale: float = 8.0
    rate: float = 1e-3
    last_rate: float = 1e-6
    kernel_rate: float = 0.0
    warmup: int = 200
    ema: float = 0.999
    clip: float = 1.0
    luma_share: float = 0.0
    psnr_from: float = 1.0
    steadiness: float = 0.0
    distil_share: float = 0.0
    distil_turns: int = 1

    def __post_init__(self) -> None:
        _at_least(
            "training.schedule",
            1,
            batch=self.batch,
            patch=self.patch,
            samples=self.samples,
        )
        if not 1 <= self.scales[0] < self.scales[1] <= self.far_scale < math.inf:
            raise ConfigError(
                f"training.schedule.scales must rise from at least 1 to at most {self.far_scale}, found {self.scales}"
            )
        for name in (
            "whole_share",
            "half_share",
            "far_share",
            "luma_share",
            "psnr_from",
            "ema",
            "distil_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"schedule.{name} must lie in [0, 1], found {getattr(self, name)}")
        together = self.whole_share + self.half_share + self.far_share
        if together > 1:
            raise ConfigError(
                f"training.schedule.whole_share, half_share and far_share must add up to at most 1, found {together:g}"
            )
        if not 1 <= self.distil_turns <= 8:
            raise ConfigError(f"training.schedule.distil_turns must lie in [1, 8], found {self.distil_turns}")
        self._check_rates()

    def _check_rates(self) -> None:
        _at_least("training.schedule", 0, steadiness=self.steadiness, warmup=self.warmup)
        if not 0 < self.last_rate <= self.rate <= MOST_RATE:
            raise ConfigError(
                f"training.schedule.rate must be last_rate, above 0, to {MOST_RATE:g}, found {self.rate}"
            )
        if not 0 <= self.kernel_rate <= MOST_RATE:
            raise ConfigError(
                f"training.schedule.kernel_rate must lie in [0, {MOST_RATE:g}], found {self.kernel_rate}"
            )
        if not 0 < self.clip < math.inf:
            raise ConfigError(f"training.schedule.clip must be above 0, found {self.clip}")


@dataclasses.dataclass(frozen=True)
class TrainingSpec:
    """``start``: a checkpoint to begin from, relative to the spec ("" for random weights). ``save_seconds``:
    how much of a run a kill may cost. ``teacher``: the
    checkpoint of a DIINN, relative to the spec, whose ensemble ``schedule.distil_share`` takes ("" for the starting
    weights). ``branches``: what a 3 x 3 kernel learns as beside itself (1x1, identity,
    1x1-3x3); they are fused into it in what is written."""

    steps: int = 40_000
    seed: int = 1
    start: str = ""
    teacher: str = ""
    compile: bool = True
    validate_every: int = 2_000
    save_seconds: float = 60.0
    branches: tuple[str, ...] = ()
    data: DataSpec = dataclasses.field(default_factory=DataSpec)
    schedule: ScheduleSpec = dataclasses.field(default_factory=ScheduleSpec)

    def __post_init__(self) -> None:
        _at_least("training", 1, steps=self.steps, validate_every=self.validate_every)
        _at_least("training", 0, save_seconds=self.save_seconds)
        if not 0 <= self.seed <= MOST_SEED:
            raise ConfigError(f"training.seed must lie in [0, 2**63), found {self.seed}")
        for branch in self.branches:
            _one_of("training.branches", branch, BRANCHES)


def training_spec(model: ModelSpec) -> TrainingSpec:
    """The ``[training]`` table of ``model``; ``ConfigError`` for an unknown key or a value out of range."""
    spec: TrainingSpec = from_mapping(TrainingSpec, model.training, f"{model.name}: training")
    return spec


def _at_least(table: str, least: int, **values: float) -> None:
    for name, value in values.items():
        if not least <= value < math.inf:
            raise ConfigError(f"{table}.{name} must be at least {least}, found {value}")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, found {value!r}")
