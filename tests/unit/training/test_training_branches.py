"""Kernels that learn as branches, against the plain kernels that they become."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from support.checkpoints import NARROW, random_network

from edge_sr.models.implicit.diinn import Diinn
from edge_sr.spec import DecoderSpec
from edge_sr.training.branches import fused, open_up, values_of
from edge_sr.training.spec import BRANCHES
from edge_sr.training.tasks.sampled import whole_picture

pytestmark = pytest.mark.torch
MODES = (1, 2, 3)
CHOICES = [*((branch,) for branch in BRANCHES), BRANCHES]


def network(mode: int = 3, encoder: str = "residual") -> Diinn:
    torch.manual_seed(3)
    return random_network(NARROW[encoder], DecoderSpec(mode, False, (12, 10, 8), True))


def shaken(opened: Diinn) -> Diinn:
    """As after some training: every branch has values of its own."""
    with torch.no_grad():
        for parameter in opened.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return opened


def picture_of(some: torch.nn.Module, low: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return whole_picture(some, low, 17)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encoder", list(NARROW))
@pytest.mark.parametrize("chosen", CHOICES)
def test_opening_up_leaves_the_picture_as_it_was(mode: int, encoder: str, chosen: tuple[str, ...]) -> None:
    plain = network(mode, encoder)
    low = torch.rand(1, 3, 7, 7)
    before = picture_of(plain, low)
    open_up(plain, chosen)
    assert torch.allclose(picture_of(plain, low), before, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chosen", CHOICES)
def test_fusing_computes_the_same_under_the_plain_keys(mode: int, chosen: tuple[str, ...]) -> None:
    keys, opened = network(mode).state_dict().keys(), network(mode)
    open_up(opened, chosen)
    shaken(opened)
    low = torch.rand(1, 3, 7, 7)
    assert fused(opened).state_dict().keys() == keys
    assert torch.equal(picture_of(fused(opened), low), picture_of(opened, low))


def test_a_branch_is_the_convolution_that_its_name_says() -> None:
    opened = network()
    conv = opened.encoder.body[0].conv1
    start = conv.weight.detach().clone()
    open_up(opened, BRANCHES)
    shaken(opened)
    branches = conv.parametrizations.weight
    own, others = branches.original, branches[0]
    x = torch.rand(1, conv.in_channels, 9, 9)
    convolve = torch.nn.functional.conv2d
    with torch.no_grad():
        apart = convolve(x, own) + convolve(x, others.point[..., None, None])[..., 1:-1, 1:-1]
        apart += others.scale.view(1, -1, 1, 1) * x[..., 1:-1, 1:-1]
        apart += convolve(convolve(x, others.expand[..., None, None]), others.deep)
        assert torch.allclose(convolve(x, conv.weight), apart, atol=1e-5)
    assert not torch.allclose(conv.weight, start, atol=1e-2)


def test_every_branch_learns() -> None:
    opened = network()
    open_up(opened, BRANCHES)
    whole_picture(opened, torch.rand(1, 3, 7, 7), 17).square().mean().backward()
    assert all(parameter.grad is not None for parameter in opened.parameters())
    branches = opened.encoder.body[0].conv1.parametrizations.weight[0]
    assert all(parameter.grad.abs().max() > 0 for parameter in branches.parameters())


def test_values_are_those_of_the_fused_network() -> None:
    opened = network()
    open_up(opened, BRANCHES)
    plain = fused(shaken(opened))
    names = [name for name, _ in plain.named_parameters()]
    for value, parameter in zip(values_of(opened, names), plain.parameters(), strict=True):
        assert torch.equal(value, parameter)
