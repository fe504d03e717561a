"""A training step by the native library against PyTorch's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.checkpoints import random_network

from edge_sr.models.implicit.diinn import Diinn
from edge_sr.spec import DecoderSpec, EncoderSpec, ModelSpec
from edge_sr.training import loss
from edge_sr.training.branches import open_up
from edge_sr.training.data.batches import Batch
from edge_sr.training.learner import Learner
from edge_sr.training.spec import BRANCHES, ScheduleSpec
from edge_sr.training.tasks.native_loss import NativeLoss, native_loss
from edge_sr.training.tasks.sampled import SampledDiinn
from edge_sr.training.tasks.task import DiinnTask

pytestmark = pytest.mark.torch
# Channels, blocks, decoder widths, batch, patch, samples.
FORMS = [
    (16, 5, (32, 28, 16), 8, 40, 3),
    (32, 8, (32, 32, 32), 2, 48, 4),
    (16, 1, (12,), 1, 13, 1),
    (32, 1, (5, 32, 32, 8), 3, 7, 2),
    (32, 2, (16, 16), 5, 1, 5),
]


def network(form: tuple[Any, ...]) -> Diinn:
    channels, blocks, widths = form[:3]
    encoder = EncoderSpec("residual", channels=channels, blocks=blocks)
    made = random_network(encoder, DecoderSpec(3, False, widths, True))
    # Wide enough an argument for the sines to turn.
    with torch.no_grad():
        for layer in made.decoder.Q:
            layer[0].weight.mul_(6)
    return made


def described(made: Diinn) -> ModelSpec:
    return ModelSpec("random", made.spec.encoder, made.spec.decoder)


def schedule(form: tuple[Any, ...], **changes: Any) -> ScheduleSpec:
    batch, patch, samples = form[3:]
    return ScheduleSpec(batch=batch, patch=patch, samples=samples, luma_share=0.8, **changes)


def batch_of(form: tuple[Any, ...], seed: int = 3) -> Batch:
    n, p, k = form[3:]
    generator = np.random.default_rng(seed)
    weights = generator.uniform(0.5, 1.5, (n, p, p, 1)).astype(np.float32)
    arrays = (
        generator.integers(0, 256, (n, p, p, 3), np.uint8),
        generator.uniform(-1, 1, (n, p, p, k, 2)).astype(np.float32),
        generator.integers(0, 256, (n, p, p, k, 3), np.uint8),
        weights,
    )
    return Batch(*map(torch.from_numpy, arrays), ratio=torch.tensor([0.3]))


def native(made: Diinn, spec: ScheduleSpec) -> NativeLoss:
    found = native_loss(made, spec)
    if found is None:
        pytest.skip("no products of bfloat16 on this processor (AMX or AVX512-BF16)")
    return found


def gradients(made: Diinn, value: torch.Tensor) -> torch.Tensor:
    made.zero_grad()
    value.backward()
    return torch.cat([parameter.grad.flatten() for parameter in made.parameters()])


def by_torch(made: Diinn, batch: Batch, spec: ScheduleSpec, absolute: bool, rounded: bool) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
        low = batch.low.permute(0, 3, 1, 2).float() / 255
        picture = SampledDiinn(made)(low, batch.offsets, batch.ratio)
    criterion = loss.l1 if absolute else loss.psnr
    return criterion(picture.float(), batch.target.float() / 255, spec.luma_share, batch.weights)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_loss_and_gradients_are_those_of_pytorch(form: tuple[Any, ...], absolute: bool) -> None:
    made, spec, batch = network(form), schedule(form), batch_of(form)
    measured = native(made, spec)
    exact = by_torch(made, batch, spec, absolute, rounded=False)
    wanted = gradients(made, exact)
    rounding = (gradients(made, by_torch(made, batch, spec, absolute, rounded=True)) - wanted).norm()
    value = measured(batch, absolute=absolute)
    found = gradients(made, value)
    assert value.item() == pytest.approx(exact.item(), rel=2e-3, abs=2e-4)
    # Products of bfloat16 cost as much as they do under autocast.
    assert (found - wanted).norm() <= 1.2 * rounding + 0.005 * wanted.norm()


def test_parameters_that_come_of_branches_learn(form: tuple[Any, ...] = FORMS[3]) -> None:
    made, spec, batch = network(form), schedule(form), batch_of(form)
    open_up(made, BRANCHES)
    wanted = gradients(made, by_torch(made, batch, spec, absolute=False, rounded=False))
    found = gradients(made, native(made, spec)(batch, absolute=False))
    assert (found - wanted).norm() <= 0.03 * wanted.norm()


def test_a_step_gives_the_same_bits_again() -> None:
    form = FORMS[3]
    made, spec, batch = network(form), schedule(form), batch_of(form)
    measured = native(made, spec)
    first = gradients(made, measured(batch, absolute=False))
    measured(batch_of(form, 8), absolute=True)
    assert torch.equal(first, gradients(made, measured(batch, absolute=False)))


def test_a_learner_goes_the_same_way_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    form = (16, 1, (16, 16), 4, 16, 2)
    spec = schedule(form, warmup=1)
    native(network(form), spec)

    def after_steps() -> torch.Tensor:
        made = network(form)
        learner = Learner(made, DiinnTask(described(made)), spec, torch.device("cpu"), compiled=False)
        for number in range(12):
            learner.step(batch_of(form, number), number, 0.5)
        return torch.cat([parameter.detach().flatten() for parameter in learner.network.parameters()])

    with_it = after_steps()
    monkeypatch.setattr("edge_sr.training.learner.native_loss", lambda *_: None)
    without = after_steps()
    start = torch.cat([parameter.detach().flatten() for parameter in network(form).parameters()])
    assert (with_it - without).norm() <= 0.15 * (without - start).norm()


@pytest.mark.parametrize(
    ("decoder", "encoder", "changes"),
    [
        (DecoderSpec(3, False, (16, 48), True), EncoderSpec("residual", channels=16, blocks=1), {}),
        (DecoderSpec(2, False, (16, 16), True), EncoderSpec("residual", channels=16, blocks=1), {}),
        (DecoderSpec(3, True, (16, 16), True), EncoderSpec("residual", channels=16, blocks=1), {}),
        (DecoderSpec(3, False, (16, 16), False), EncoderSpec("residual", channels=16, blocks=1), {}),
        (DecoderSpec(3, False, (16, 16), True), EncoderSpec("residual", channels=24, blocks=1), {}),
        (DecoderSpec(3, False, (16, 16), True), EncoderSpec("edsr", channels=16, blocks=1), {}),
        (
            DecoderSpec(3, False, (16,), True),
            EncoderSpec("residual", channels=16, blocks=1),
            {"steadiness": 0.1},
        ),
    ],
)
def test_what_it_does_not_compute_is_left_to_pytorch(
    decoder: DecoderSpec, encoder: EncoderSpec, changes: dict[str, float]
) -> None:
    spec = ScheduleSpec(batch=2, patch=8, samples=2, **changes)
    assert native_loss(random_network(encoder, decoder), spec) is None
