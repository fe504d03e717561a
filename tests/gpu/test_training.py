"""Training on a real GPU: a step recorded as a CUDA graph learns what a step of PyTorch's does.

python -m pytest tests/gpu/test_training.py -s
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_sr.files.config import load_toml
from edge_sr.spec import ModelSpec
from edge_sr.training.data.batches import Batch, BatchSource
from edge_sr.training.data.device_scales import DeviceScales
from edge_sr.training.data.scale_set import scale_crops
from edge_sr.training.learner import Learner
from edge_sr.training.spec import training_spec
from edge_sr.training.tasks.task import DiinnTask

ROOT = Path(__file__).parents[2]
STEPS = 20

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: PyTorch finds no GPU")


@pytest.fixture(scope="module")
def crops() -> Any:
    # Smooth, so that there is something to learn.
    noise = np.random.default_rng(1).integers(0, 256, (12, 24, 24, 3), np.uint8)
    return np.ascontiguousarray(scale_crops(noise.repeat(8, 1).repeat(8, 2), Fraction(3, 2)).low)


def model() -> ModelSpec:
    return load_toml(ROOT / "export" / "models" / "diinn-nano.toml", ModelSpec)


def source(crops: Any) -> BatchSource:
    spec = dataclasses.replace(training_spec(model()).schedule, batch=8, patch=32)
    scales = DeviceScales(crops, torch.device("cuda"))
    scaled = [scales.scaled(Fraction(scale)) for scale in (2, 3)]
    weights = np.full(len(crops), 1 / len(crops))
    return BatchSource(
        scales.crops, weights, scaled, np.array([0.5, 0.5]), spec, 1, device=torch.device("cuda")
    )


def learnt(crops: Any, *, captured: bool, compiled: bool) -> tuple[list[float], Any]:
    """The losses of ``STEPS`` steps, and the averaged weights after them."""
    task = DiinnTask(model())
    torch.manual_seed(3)
    learner = Learner(
        task.network(), task, training_spec(model()).schedule, torch.device("cuda"), compiled=compiled
    )
    if not captured:
        learner._captured.clear()
    batches, losses = source(crops), []
    for number in range(STEPS):
        batch = batches.draw()
        assert isinstance(batch, Batch)
        losses.append(learner.step(batch, number, number / STEPS))
    values = torch.cat([value.flatten() for value in learner.average.parameters()])
    return [loss.item() for loss in losses], values


@pytest.mark.parametrize("compiled", [False, True])
def test_a_recorded_step_learns_the_same(crops: Any, compiled: bool) -> None:
    losses, values = learnt(crops, captured=True, compiled=compiled)
    wanted, expected = learnt(crops, captured=False, compiled=False)
    print("losses", losses[0], wanted[0], "to", losses[-1], wanted[-1])
    # Kernels sum in another order, and bfloat16 carries that on.
    assert np.abs(np.subtract(losses, wanted)).max() < 0.02
    assert (values - expected).norm() / expected.norm() < 0.02
    assert losses[-1] < losses[0] and len(set(losses)) == STEPS


def test_the_scale_set_is_the_one_of_numpy(crops: Any) -> None:
    for scale in (Fraction(3, 2), Fraction(2), Fraction(31, 10)):
        found = DeviceScales(crops, torch.device("cuda")).scaled(scale).low
        off = np.abs(found.cpu().numpy().astype(int) - scale_crops(crops, scale).low)
        assert off.max() <= 1 and off.mean() < 1e-3
