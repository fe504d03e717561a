"""One step of learning: the network, its average, the optimiser and the rate."""

from __future__ import annotations

import functools
import math
import shutil
from typing import Any

import torch
from torch import Tensor, nn

from edge_sr.errors import CheckpointError, MissingError
from edge_sr.training import loss
from edge_sr.training.branches import fused, values_of
from edge_sr.training.captured import CapturedStep
from edge_sr.training.data.batches import Batch
from edge_sr.training.optimisers import optimisers_for, restore_optimiser, set_rate
from edge_sr.training.spec import ScheduleSpec
from edge_sr.training.tasks.native_loss import native_loss
from edge_sr.training.tasks.task import Compile, Predict, TrainingTask

Tensors = dict[str, Tensor]
# Standard deviations of the noise that `steadiness` shakes pictures by; bfloat16 could not tell less from its rounding.
NOISE = (1.0 / 255, 4.0 / 255)


class Learner:
    """Owns the network on ``device``; ``average`` holds the exponential mean of its weights.

    ``exact`` computes in float32 throughout: a network that learns to round must not be rounded otherwise.
    """

    def __init__(
        self,
        network: nn.Module,
        task: TrainingTask,
        spec: ScheduleSpec,
        device: torch.device,
        *,
        compiled: bool,
        exact: bool = False,
        teacher: Predict | None = None,
    ) -> None:
        self.network = network.to(device)
        self._native = native_loss(network, spec) if device.type == "cpu" and not exact else None
        if self._native is None:
            self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = fused(self.network).requires_grad_(False)
        self._averaged = [name for name, _ in self.average.named_parameters()]
        self._spec, self.device = spec, device
        self._optimisers = optimisers_for(self.network, spec)
        self._rates = [float(optimiser.param_groups[0]["lr"]) for optimiser in self._optimisers]
        self._predict = task.predictor(self.network, compiler(device, wanted=compiled))
        self._half = half_precision(device) and not exact
        self._teacher = teacher
        self._captured: dict[bool, CapturedStep] = {}
        # A teacher draws its turns anew for every batch.
        if device.type == "cuda" and teacher is None:
            for absolute in (False, True):
                self._captured[absolute] = CapturedStep(functools.partial(self._learn, absolute=absolute))

    def step(self, batch: Any, number: int, fraction: float) -> Tensor:
        """Step ``number`` (from 0), at ``fraction`` of the run; returns the loss, not yet awaited."""
        share = rate_at(self._spec, number, fraction) / self._spec.rate
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            set_rate(optimiser, rate * share)
        absolute = fraction < self._spec.psnr_from
        if self._captured and isinstance(batch, Batch):
            value = self._captured[absolute](batch)
        else:
            value = self._learn(batch, absolute=absolute)
        self._follow(number)
        return value

    def _learn(self, batch: Any, *, absolute: bool) -> Tensor:
        value = self._differentiated(batch, absolute)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._spec.clip)
        for optimiser in self._optimisers:
            optimiser.step()
        return value.detach()

    def _differentiated(self, batch: Any, absolute: bool) -> Tensor:
        """The loss; its gradients are in the network. Both are computed anew where their compiler was broken off.

        Raises ``MissingError`` for a compiler that does not work.
        """
        random = torch.get_rng_state()
        try:
            return self._backward(batch, absolute)
        except torch._dynamo.exc.BackendCompilerFailed:
            # A terminal sends Ctrl-C to the compiler as well, and the step under way is to be done.
            torch.set_rng_state(random)
        try:
            return self._backward(batch, absolute)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            raise _no_compiler(error) from error

    def _backward(self, batch: Any, absolute: bool) -> Tensor:
        value = self._loss(batch, absolute)
        self.network.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    def _loss(self, batch: Any, absolute: bool) -> Tensor:
        if self._native is not None:
            return self._native(batch, absolute=absolute)
        low = batch.low.permute(0, 3, 1, 2).float() / 255
        target = batch.target.float() / 255
        # A weight that was cast for a step must not be kept for the next: a replayed one would not see it change.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half, cache_enabled=False):
            target = self._softened(target, low, batch)
            picture = self._predict(low, batch)
            shaken, noise = self._shaken(low, batch) if self._spec.steadiness else (None, low)
        criterion = loss.l1 if absolute else loss.psnr
        weights = torch.as_tensor(batch.weights, device=self.device)
        value = criterion(picture.float(), target, self._spec.luma_share, weights)
        if shaken is None:
            return value
        return value + self._spec.steadiness * loss.noise_gain(picture.float(), shaken.float(), noise)

    def _softened(self, target: Tensor, low: Tensor, batch: Any) -> Tensor:
        """``target``, a share of it the teacher's."""
        if self._teacher is None:
            return target
        # Turned, a pixel midway between two of LR's lies on the side that no output takes it from.
        between = batch.offsets.abs().amax(-1, keepdim=True) < 1
        share = self._spec.distil_share * between.to(target)
        return torch.lerp(target, self._teacher(low, batch).float(), share)

    def _shaken(self, low: Tensor, batch: Any) -> tuple[Tensor, Tensor]:
        """What the network makes of ``low`` under fresh noise, of another strength for each picture, and the noise."""
        strength = torch.empty((len(low), 1, 1, 1), device=low.device).uniform_(*NOISE)
        noise = strength * torch.randn_like(low)
        return self._predict(low + noise, batch), noise

    @torch.no_grad()
    def _follow(self, number: int) -> None:
        # A young average follows closely, or it would carry the first weights for long.
        decay = min(self._spec.ema, (1 + number) / (10 + number))
        torch._foreach_lerp_(
            list(self.average.parameters()), values_of(self.network, self._averaged), 1 - decay
        )

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "ema": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
        }

    def restore(self, network: Tensors, ema: Tensors, optimisers: list[dict[str, Any]]) -> None:
        try:
            self.network.load_state_dict(network)
            self.average.load_state_dict(ema)
            for optimiser, state in zip(self._optimisers, optimisers, strict=True):
                restore_optimiser(optimiser, state)
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"the run's tensors do not fit its network: {error}") from error


def rate_at(spec: ScheduleSpec, number: int, fraction: float) -> float:
    """The learning rate: a linear warm-up, then a cosine over the run."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
    return min(1.0, (number + 1) / max(1, spec.warmup)) * (
        spec.last_rate + (spec.rate - spec.last_rate) * cosine
    )


def compiler(device: torch.device, *, wanted: bool) -> Compile:
    """``torch.compile`` where it is ``wanted`` and a compiler is at hand."""
    ready = device.type == "cuda" or shutil.which("g++") is not None
    return _compiled if wanted and ready else _as_is


def _no_compiler(error: Exception) -> MissingError:
    lines = str(error).splitlines() or [type(error).__name__]
    reason = next((line for line in lines if "error: " in line), lines[0])
    return MissingError(
        f"PyTorch cannot compile the step: {reason}; install a C++ compiler and Python's headers, as by apt install "
        "g++ python3-dev, or set training.compile = false"
    )


def _compiled(module: nn.Module) -> Any:
    return torch.compile(module, dynamic=False)


def _as_is(module: nn.Module) -> Any:
    return module


def half_precision(device: torch.device) -> bool:
    """Whether bfloat16 products are quick here: GPUs that have them, CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
