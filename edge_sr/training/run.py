"""A training run from spec to checkpoint, resumable at any step."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from edge_sr.errors import CheckpointError, ConfigError, InterruptedRun, OutputExistsError
from edge_sr.files.config import from_mapping, to_mapping
from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.models.implicit.diinn import Diinn
from edge_sr.quality import pair_sides
from edge_sr.spec import ModelSpec
from edge_sr.training.branches import open_up
from edge_sr.training.data import crops as packed
from edge_sr.training.data.batches import BatchSource
from edge_sr.training.data.device_scales import DeviceScales
from edge_sr.training.data.scale_set import shrinker
from edge_sr.training.data.scale_store import SUFFIX as SCALES
from edge_sr.training.data.scale_store import ScaleStore
from edge_sr.training.learner import Learner, compiler
from edge_sr.training.limit import Limit
from edge_sr.training.outputs import curve_path, description_path, resume_path, table_path
from edge_sr.training.progress import Pace, Say, draw_curve, line
from edge_sr.training.spec import training_spec
from edge_sr.training.state import QAT, Record, RunState, load_state, save_state, save_weights
from edge_sr.training.tasks.ensemble import Ensemble
from edge_sr.training.tasks.task import Predict, task_for
from edge_sr.training.validation import Validation

if TYPE_CHECKING:
    from edge_sr.training.quantisation.qat import RoundedTraining

LOSS_EVERY = 50  # seldom: a GPU is waited for each time


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run came to; ``psnr`` is luma dB on the validation crops at x2, x3, x4.

    ``loss``: of training since the last validation but one, None where the run was too short for one to be looked at.
    ``scale_table``: of a run against the INT8 rounding.
    """

    checkpoint: Path
    curve: Path
    scale_table: Path | None
    steps: int
    seconds: float
    loss: float | None
    psnr: tuple[float, ...]


class TrainingRun:
    """One run: ``run()`` trains until the limit and returns the outcome."""

    def __init__(
        self,
        spec: ModelSpec,
        folder: Path,
        checkpoint: Path,
        limit: Limit,
        say: Say,
        int8: RoundedTraining | None = None,
    ) -> None:
        """``folder`` is the spec's own, which its starting weights are relative to; ``int8`` is learnt to bear."""
        self._spec, self._training, self._task = spec, training_spec(spec), task_for(spec)
        self._folder, self._checkpoint = folder, checkpoint
        self._limit, self._say, self._int8 = limit, say, int8
        self._step, self._seconds = 0, 0.0
        self._loss: Tensor | None = None
        self._losses: list[float] = []
        self._history: list[Record] = []

    def prepare(self, sources: list[Path], device: torch.device, resume: bool) -> None:
        """Read the pictures, make the scale set and the network, and take up an earlier run's state."""
        if not resume:
            _require_unused(self._checkpoint)
        if self._int8 is not None:
            self._int8.check_start(self._start())
        state = load_state(self._checkpoint, self._conditions()) if resume else None
        # Before the crops, which take minutes: a start or a teacher of another network is refused at once.
        torch.manual_seed(self._training.seed)
        network = self._task.network()
        start = self._start()
        if start is not None and state is None:
            network.load_state_dict(starting_tensors(start, self._spec))
        self._learner = self._new_learner(network, device)
        crops = self._crops(sources, resume)
        self._source = self._batches(crops, device)
        shrink = shrinker(self._training, salt=1)
        self._validation = Validation(crops.validation, shrink, self._task.enlarged)
        if state is not None:
            self._restore(state)

    def run(self, stop: threading.Event | None = None) -> Outcome:
        """Train; once ``stop`` is set, raises ``InterruptedRun`` after the step under way, its result saved."""
        if not self._train(stop or threading.Event()):
            self._save()
            raise InterruptedRun(f"stopped at step {self._step}; go on with --resume")
        return self._finish()

    def _start(self) -> Path | None:
        return self._folder / self._training.start if self._training.start else None

    def _conditions(self) -> dict[str, Any]:
        """What an earlier run must have been of for this one to go on from it."""
        table = {} if self._int8 is None else {QAT: self._int8.sha256}
        return {**to_mapping(self._spec), **table}

    def _new_learner(self, network: nn.Module, device: torch.device) -> Learner:
        schedule, compiled = self._training.schedule, self._training.compile
        teacher = self._teacher(device) if schedule.distil_share else None
        if self._int8 is None:
            if self._training.branches:
                open_up(self._diinn(network, "training.branches"), self._training.branches)
            return Learner(network, self._task, schedule, device, compiled=compiled, teacher=teacher)
        self._int8.put_into(self._diinn(network, "--qat"))
        return Learner(network, self._task, schedule, device, compiled=False, exact=True, teacher=teacher)

    def _teacher(self, device: torch.device) -> Predict:
        """The ensemble of the teacher, or of the starting weights."""
        named = self._training.teacher or self._training.start
        if not named:
            raise ConfigError("training.schedule.distil_share needs a trained network: name training.teacher")
        network = self._diinn(load_checkpoint(self._folder / named).network(), "schedule.distil_share")
        compiled = compiler(device, wanted=self._training.compile)
        predict = self._task.predictor(network.to(device).requires_grad_(False), compiled)
        return Ensemble(predict, self._training.schedule.distil_turns)

    def _diinn(self, network: nn.Module, asked: str) -> Diinn:
        if not isinstance(network, Diinn):
            raise ConfigError(f"{asked} takes DIINN, found {self._spec.published}")
        return network

    def _crops(self, sources: list[Path], resume: bool) -> packed.Crops:
        cache = self._checkpoint.with_suffix(packed.SUFFIX)
        crops = packed.collect(sources, self._training.data, cache, self._say, resume=resume)
        self._say(
            f"{len(crops.train)} crops of {crops.side} pixels, {len(crops.validation)} more for validation"
        )
        return crops

    def _batches(self, crops: packed.Crops, device: torch.device) -> BatchSource:
        schedule, seed = self._training.schedule, self._training.seed
        scales, shares = self._task.scales(schedule, self._training.data.scale_count, seed)
        _check_patch(schedule.patch, crops.side, max(scales))
        self._say(f"shrinking the crops for {len(scales)} scales")
        store = self._scale_set(crops, device)
        scaled = [store.scaled(scale) for scale in scales]
        return BatchSource(
            store.crops,
            crops.weights(),
            scaled,
            shares,
            schedule,
            seed,
            device=device,
            enlarged=store.enlarged,
        )

    def _scale_set(self, crops: packed.Crops, device: torch.device) -> DeviceScales | ScaleStore:
        if device.type == "cuda" and self._training.data.degradation == "none":
            return DeviceScales(crops.train, device)
        return ScaleStore(self._checkpoint.with_suffix(SCALES), crops.train, self._training)

    def _train(self, stop: threading.Event) -> bool:
        """Whether the limit was reached before it was stopped."""
        saved = time.monotonic()
        pace = Pace(self._step, self._say)
        if not self._history:
            self._validate()
        for seconds in _stopwatch(self._seconds):
            self._seconds = seconds
            fraction = self._limit.fraction(self._step, seconds)
            if fraction >= 1 or stop.is_set():
                break
            value = self._learner.step(self._task.draw(self._source), self._step, fraction)
            self._step += 1
            pace.tell(self._step)
            self._loss = value
            if self._step % LOSS_EVERY == 0:
                self._losses.append(_finite(value.item(), self._step))
            if self._step % self._training.validate_every == 0:
                self._validate()
            if time.monotonic() - saved > self._training.save_seconds:
                self._save()
                saved = time.monotonic()
        return fraction >= 1

    def _validate(self) -> None:
        figures = self._validation.measure(self._learner.average, self._learner.device)
        loss = sum(self._losses) / len(self._losses) if self._losses else None
        self._losses = []
        self._history.append(Record(self._step, self._seconds, loss, figures))
        pace = self._step / self._seconds if self._seconds else 0.0
        self._say(line(self._history[-1], pace, self._limit.remaining(self._step, self._seconds)))

    def _require_numbers(self) -> None:
        """``CheckpointError`` where the loss or a weight is none any more: what was saved before stays."""
        if self._loss is not None:
            _finite(self._loss.item(), self._step)
        weights = self._learner.average.state_dict().items()
        lost = next((key for key, tensor in weights if not bool(torch.isfinite(tensor).all())), None)
        if lost is not None:
            raise CheckpointError(
                f"{lost} holds no numbers at step {self._step}; lower training.schedule.rate and start again"
            )

    def _finish(self) -> Outcome:
        if self._history[-1].step != self._step:
            self._validate()
        self._save()
        curve = curve_path(self._checkpoint)
        draw_curve(self._history, curve)
        table = None if self._int8 is None else self._int8.write_table(self._checkpoint)
        if table is not None:
            self._say(f"scale table: {table}")
        last = self._history[-1]
        return Outcome(self._checkpoint, curve, table, self._step, self._seconds, last.loss, last.psnr)

    def _save(self) -> None:
        self._require_numbers()
        history = [dataclasses.asdict(record) for record in self._history]
        state = RunState(
            spec=self._conditions(),
            step=self._step,
            seconds=self._seconds,
            data=self._source.state(),
            torch_rng=torch.get_rng_state(),
            losses=self._losses,
            history=history,
            **self._learner.state(),
        )
        save_state(state, self._checkpoint)
        save_weights(self._spec.network(), self._learner.average.state_dict(), self._checkpoint)

    def _restore(self, state: RunState) -> None:
        path = resume_path(self._checkpoint)
        try:
            self._learner.restore(state.network, state.ema, state.optimisers)
            self._source.restore(state.data)
            torch.set_rng_state(state.torch_rng)
            self._step, self._seconds = int(state.step), float(state.seconds)
            self._losses = [float(loss) for loss in state.losses]
            self._history = [from_mapping(Record, record, "history") for record in state.history]
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is not a readable run: {error}") from error
        self._say(f"resumed at step {self._step}")


def _require_unused(checkpoint: Path) -> None:
    """``OutputExistsError`` where a file that a run writes lies there already."""
    if checkpoint.exists() or resume_path(checkpoint).exists():
        raise OutputExistsError(f"{checkpoint} has a run already; go on with --resume or name another")
    for path in (description_path(checkpoint), curve_path(checkpoint), table_path(checkpoint)):
        if path.exists():
            raise OutputExistsError(f"{path} exists, and a run would write it; name another checkpoint")


def starting_tensors(path: Path, spec: ModelSpec) -> dict[str, Any]:
    """Weights to begin from; ``CheckpointError`` unless they are of the very same network."""
    found = load_checkpoint(path)
    if dataclasses.replace(found.spec, name=spec.name, parameters=0) != spec.network():
        raise CheckpointError(f"{path} holds another network than the spec's: {found.spec}")
    return found.tensors


def _check_patch(patch: int, crop: int, scale: Fraction) -> None:
    """Raises ``ConfigError`` where crops shrunk by the largest scale are smaller than a patch."""
    smallest, _ = pair_sides(crop, scale)
    if smallest < patch:
        raise ConfigError(
            f"training.schedule.patch is {patch}, and at x{float(scale):g} crops have {smallest} LR pixels a side: "
            "raise training.data.crop, or lower training.schedule.patch or far_scale"
        )


def _stopwatch(before: float) -> Iterator[float]:
    """Seconds of training so far, time and again."""
    begun = time.monotonic()
    while True:
        yield before + time.monotonic() - begun


def _finite(value: float, step: int) -> float:
    if not math.isfinite(value):
        raise CheckpointError(
            f"the loss is {value} at step {step}; start again, training.schedule.rate lower"
        )
    return value
