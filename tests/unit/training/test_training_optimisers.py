"""Muon for kernels, held to PyTorch's own on matrices."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from edge_sr.training.optimisers import Muon, optimisers_for, orthogonalised
from edge_sr.training.spec import ScheduleSpec


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (32, 32)])
def test_singular_values_come_to_about_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonalised(torch.randn(3, *shape)))
    assert values.min() > 0.6 if shape[0] != shape[1] else values.median() > 0.6
    assert values.max() < 1.3


@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_it_moves_a_matrix_as_pytorch_does(shape: tuple[int, int]) -> None:
    torch.manual_seed(2)
    start = torch.randn(shape)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimisers = (
        (ours, Muon([ours], 0.1)),
        (theirs, torch.optim.Muon([theirs], 0.1, weight_decay=0.0, momentum=0.95)),
    )
    for _ in range(4):
        gradient = torch.randn(shape)
        for parameter, optimiser in optimisers:
            parameter.grad = gradient.clone()
            optimiser.step()
    moved = (theirs - start).norm()
    # PyTorch iterates in bfloat16.
    assert (ours - theirs).norm() < 0.02 * moved


def test_kernels_of_one_shape_move_as_each_would_alone() -> None:
    torch.manual_seed(3)
    pair = [torch.nn.Parameter(torch.randn(8, 8, 3, 3)) for _ in range(2)]
    alone = torch.nn.Parameter(pair[1].detach().clone())
    for parameter in (*pair, alone):
        parameter.grad = parameter.detach() ** 2
    Muon(pair, 0.1).step()
    Muon([alone], 0.1).step()
    assert torch.allclose(pair[1], alone, atol=1e-6)


def test_layers_that_touch_pixels_and_biases_are_left_to_adam() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3), torch.nn.Conv2d(16, 16, 3), torch.nn.Conv2d(16, 3, 1)
    )
    adam, muon = optimisers_for(network, ScheduleSpec(kernel_rate=1e-3))
    assert muon.param_groups[0]["params"] == [network[1].weight]
    assert len(adam.param_groups[0]["params"]) == 5
    assert len(optimisers_for(network, ScheduleSpec())) == 1
