"""The teacher: a batch turned and turned back."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from support.checkpoints import NARROW, random_network

from edge_sr.spec import DecoderSpec, EncoderSpec, ModelSpec
from edge_sr.training.data.batches import WAYS, Batch
from edge_sr.training.learner import Learner
from edge_sr.training.spec import ScheduleSpec
from edge_sr.training.tasks.ensemble import Ensemble, turned, turned_back
from edge_sr.training.tasks.sampled import SampledDiinn
from edge_sr.training.tasks.task import task_for

pytestmark = pytest.mark.torch


def batch() -> Batch:
    offsets = 2 * torch.rand(2, 6, 6, 3, 2, generator=torch.Generator().manual_seed(4)) - 1
    blank = torch.zeros(2, 6, 6, 3, 3, dtype=torch.uint8)
    return Batch(blank[..., 0, :], offsets, blank, torch.ones(2, 6, 6, 1), torch.tensor([0.25]))


def base(low: torch.Tensor, some: Batch) -> torch.Tensor:
    """A network of no weights: the bilinear base alone, which turns with its picture."""
    network = random_network(NARROW["residual"], DecoderSpec(3, False, (8,), True))
    torch.nn.init.zeros_(network.decoder.last_layer.weight)
    torch.nn.init.zeros_(network.decoder.last_layer.bias)
    with torch.no_grad():
        return SampledDiinn(network)(low, some.offsets, some.ratio)


@pytest.mark.parametrize("way", range(WAYS))
def test_turning_back_undoes_each_way(way: int) -> None:
    picture = torch.rand(2, 3, 5, 5)
    assert torch.equal(turned_back(turned(picture, way, (2, 3)), way, (2, 3)), picture)


@pytest.mark.parametrize("turns", [1, 3, WAYS])
def test_what_turns_with_its_picture_is_its_own_ensemble(turns: int) -> None:
    low = torch.rand(2, 3, 6, 6)
    assert torch.allclose(Ensemble(base, turns)(low, batch()), base(low, batch()), atol=1e-6)


def test_eight_ways_cancel_what_a_network_prefers() -> None:
    def leaning(low: torch.Tensor, some: Batch) -> torch.Tensor:
        return base(low, some) + some.offsets[..., :1]

    low = torch.rand(2, 3, 6, 6)
    assert torch.allclose(Ensemble(leaning, WAYS)(low, batch()), base(low, batch()), atol=1e-6)
    assert not torch.allclose(Ensemble(leaning, 1)(low, batch()), base(low, batch()), atol=1e-2)


def test_a_share_of_each_target_is_the_teachers_but_midway_between_pixels() -> None:
    task = task_for(ModelSpec("m", EncoderSpec("residual", 8, 1), DecoderSpec(3, False, (8,), True)))
    learner = Learner(
        task.network(),
        task,
        ScheduleSpec(distil_share=0.25),
        torch.device("cpu"),
        compiled=False,
        teacher=lambda low, batch: torch.ones(batch.target.shape),
    )
    some = batch()
    some.offsets[0, 0, 0, 0, 1] = -1
    target = learner._softened(torch.zeros(some.target.shape), torch.rand(2, 3, 6, 6), some)
    assert target[0, 0, 0, 0].tolist() == [0, 0, 0]
    target[0, 0, 0, 0] = 0.25
    assert torch.equal(target, torch.full_like(target, 0.25))
