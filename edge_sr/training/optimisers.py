"""What moves the weights: Adam, or Muon for the kernels between hidden features and Adam for the rest.

Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon) moves a kernel by its orthogonalised momentum, so
that every direction of a layer learns at one pace. PyTorch's own takes matrices alone; a convolution's kernel is
one here, outputs by all else. 2,500 steps of diinn-edge by it were ahead of Adam's at its best rate by 0.17, 0.11
and 0.09 dB at x2, x3 and x4 on the validation pictures, and took 10 % longer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edge_sr.training.spec import ScheduleSpec

# Of the quintic iteration that drives singular values towards 1, and how often it is applied.
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
MOMENTUM = 0.95
# A layer that reads or writes pixels has fewer channels than this on one side.
HIDDEN_CHANNELS = 8


def optimisers_for(network: nn.Module, spec: ScheduleSpec) -> list[torch.optim.Optimizer]:
    """Adam for all of ``network``, or with a ``kernel_rate`` Adam and Muon, each for its own parameters."""
    parameters = list(network.parameters())
    kernels = [one for one in parameters if spec.kernel_rate and _is_hidden(one)]
    chosen = {id(kernel) for kernel in kernels}
    rest = [one for one in parameters if id(one) not in chosen]
    adam = torch.optim.Adam(
        rest, _rate(spec.rate, rest), betas=(0.9, 0.99), fused=True, capturable=rest[0].is_cuda
    )
    return [adam, Muon(kernels, _rate(spec.kernel_rate, kernels))] if kernels else [adam]


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """From the next step on; one that is replayed as a CUDA graph reads it from where it lies."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def restore_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take up a saved ``state``, which may be of a run on another device."""
    own = [(group["lr"], group.get("capturable")) for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, (rate, capturable) in zip(optimiser.param_groups, own, strict=True):
        group["lr"] = rate
        if capturable is not None:
            group["capturable"] = capturable


def _rate(value: float, parameters: Sequence[Tensor]) -> float | Tensor:
    """On a GPU beside the parameters."""
    return torch.tensor(value, device=parameters[0].device) if parameters[0].is_cuda else value


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, for kernels ``out x ...``; the same kernels always in one order."""

    def __init__(self, kernels: Sequence[Tensor], lr: float | Tensor) -> None:
        super().__init__(kernels, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for kernels in _alike(group["params"]):
                self._move(kernels, group["lr"])

    def _move(self, kernels: list[Tensor], rate: float | Tensor) -> None:
        """Kernels of one shape, all at once: alone each is too small to keep a core busy."""
        gradients = [kernel.grad for kernel in kernels if kernel.grad is not None]
        momenta = [self._momentum(kernel) for kernel in kernels]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch.stack(torch._foreach_lerp(gradients, momenta, MOMENTUM)).flatten(2)
        rows, columns = ahead.shape[1:]
        moves = orthogonalised(ahead) * (max(1.0, rows / columns) ** 0.5 * rate)
        torch._foreach_sub_(kernels, [move.reshape(kernels[0].shape) for move in moves])

    def _momentum(self, kernel: Tensor) -> Tensor:
        state = self.state[kernel]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(kernel)
        momentum: Tensor = state["momentum"]
        return momentum


def orthogonalised(matrices: Tensor) -> Tensor:
    """``n x rows x columns``, each with its singular values brought to about 1 (0.7 to 1.2)."""
    tall = matrices.shape[1] > matrices.shape[2]
    wide: Tensor = matrices.transpose(1, 2) if tall else matrices
    wide = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = wide @ wide.transpose(1, 2)
        wide = torch.baddbmm(wide, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.transpose(1, 2) if tall else wide


def _is_hidden(parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and min(parameter.shape[:2]) >= HIDDEN_CHANNELS


def _alike(kernels: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[torch.Size, list[Tensor]] = defaultdict(list)
    for kernel in kernels:
        groups[kernel.shape].append(kernel)
    return list(groups.values())
