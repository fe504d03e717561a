"""Re-parameterised training: a 3 x 3 kernel learns as a sum of branches and is one kernel again when it ships.

Branches as in ECBSR (Zhang et al., ACM MM 2021) and SPAN's Conv3XC (Wan et al., CVPRW 2024): 1 x 1, the identity,
and 1 x 1 followed by 3 x 3. They are summed as kernels, not as pictures (as in OREPA, Hu et al., CVPR 2022): what is
trained computes what ships at every step, borders included, and a step costs no further convolution.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from edge_sr.models.implicit.diinn import Diinn, first_convolutions

# Channels between the 1 x 1 and the 3 x 3 of the deep branch, as a multiple of those that come in.
EXPANSION = 2
# The deep branch begins small beside a trained kernel, and not at zero, where its 1 x 1 would learn nothing.
DEEP_START = 0.1


class Branches(nn.Module):
    """The kernel ``out x in x 3 x 3`` that a 3 x 3 branch and the ``chosen`` others make together.

    The kernel may also be a 1 x 1 layer on an unfolding, ``out x (more + 9 in) x 1 x 1``; the branches then stand
    for its last ``9 in`` inputs.
    """

    def __init__(self, outputs: int, inputs: int, chosen: tuple[str, ...]) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.zeros(outputs, inputs)) if "1x1" in chosen else None
        identity = "identity" in chosen and inputs == outputs
        self.scale = nn.Parameter(torch.zeros(outputs)) if identity else None
        self.expand, self.deep = None, None
        if "1x1-3x3" in chosen:
            middle = EXPANSION * inputs
            self.expand = nn.Parameter(nn.init.orthogonal_(torch.empty(middle, inputs)))
            self.deep = nn.Parameter(DEEP_START / (9 * middle) ** 0.5 * torch.randn(outputs, middle, 3, 3))

    def forward(self, kernel: Tensor) -> Tensor:
        """The whole kernel, from that of the 3 x 3 branch."""
        return kernel + _placed(self._others(), kernel)

    @torch.no_grad()
    def right_inverse(self, kernel: Tensor) -> Tensor:
        """The 3 x 3 branch with which the whole is ``kernel``."""
        return kernel - _placed(self._others(), kernel)

    def _others(self) -> list[Tensor]:
        """What each other branch adds, ``out x in x 9``."""
        parts = []
        if self.point is not None:
            parts.append(_central(self.point))
        if self.scale is not None:
            parts.append(_central(torch.diag(self.scale)))
        if self.deep is not None and self.expand is not None:
            parts.append((self.deep.flatten(2).transpose(1, 2) @ self.expand).transpose(1, 2))
        return parts


def open_up(network: Diinn, chosen: tuple[str, ...]) -> None:
    """Give every 3 x 3 kernel of ``network`` the ``chosen`` branches; what it computes stays the same."""
    for conv, inputs in _kernels(network):
        branches = Branches(conv.out_channels, inputs, chosen).to(conv.weight)
        if list(branches.parameters()):
            parametrize.register_parametrization(conv, "weight", branches)


def fused(network: nn.Module) -> nn.Module:
    """A copy of ``network`` with plain kernels, which computes the same."""
    if not any(parametrize.is_parametrized(module) for module in network.modules()):
        return copy.deepcopy(network)
    assert isinstance(network, Diinn)
    plain = Diinn(network.spec)
    names = [name for name, _ in plain.named_parameters()]
    # A deep copy shares its class, the property that stands for the kernel included: taken off here, it is gone there.
    plain.load_state_dict(dict(zip(names, values_of(network, names), strict=True)))
    return plain.to(values_of(network, names[:1])[0].device)


def values_of(network: nn.Module, names: list[str]) -> list[Tensor]:
    """Tensors of ``network`` by the names that they have in ``fused(network)``."""
    places = [name.rpartition(".") for name in names]
    return [getattr(network.get_submodule(parent), leaf) for parent, _, leaf in places]


def _kernels(network: Diinn) -> Iterator[tuple[nn.Conv2d, int]]:
    """Its 3 x 3 convolutions, and the layers whose content terms are one at LR, with the channels they read."""
    for module in network.encoder.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            yield module, module.in_channels
    channels = network.spec.encoder.channels
    for conv in first_convolutions(network.decoder.K):
        if conv.in_channels >= 9 * channels:
            yield conv, channels


def _central(point: Tensor) -> Tensor:
    """``out x in`` as the middle of a 3 x 3 kernel, ``out x in x 9``."""
    return functional.pad(point.unsqueeze(2), (4, 4))


def _placed(parts: list[Tensor], kernel: Tensor) -> Tensor:
    """The sum of the ``parts`` in the shape of ``kernel``, zeros for inputs that they do not stand for."""
    flat = torch.stack(parts).sum(0).flatten(1)
    return functional.pad(flat, (kernel[0].numel() - flat.shape[1], 0)).view(kernel.shape)
