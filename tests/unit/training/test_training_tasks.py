"""How networks other than DIINN are trained."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from edge_sr.errors import MissingError
from edge_sr.resample import resize
from edge_sr.spec import DecoderSpec, EncoderSpec, ModelSpec
from edge_sr.training import loss
from edge_sr.training.data.batches import BatchSource
from edge_sr.training.data.scale_set import bicubic_stack, scale_crops
from edge_sr.training.learner import Learner
from edge_sr.training.spec import ScheduleSpec
from edge_sr.training.tasks.task import task_for

PICTURE_SPECS: dict[str, dict[str, Any]] = {
    "fsrcnn": {"scale": 3, "d": 8, "s": 4, "m": 1},
    "srcnn": {"widths": [8, 4]},
}


@pytest.mark.parametrize("network", PICTURE_SPECS)
def test_networks_from_picture_to_picture_learn(network: str) -> None:
    """What is given lies over what is wanted: bicubic's own error is all that is left to learn."""
    spec = ModelSpec("made", published=network, options=PICTURE_SPECS[network])
    task = task_for(spec)
    crops = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3)).astype(np.uint8)
    crops = bicubic_stack(bicubic_stack(crops, (24, 24)), (96, 96))
    schedule = ScheduleSpec(batch=4, patch=12, rate=1e-2, warmup=10)
    scales, shares = task.scales(schedule, 4, 0)
    scaled = [scale_crops(crops, scale) for scale in scales]
    source = BatchSource(crops, np.full(3, 1 / 3), scaled, shares, schedule, 0)
    batch = task.draw(source)
    times = 3 if network == "fsrcnn" else 1
    side = 12 * times
    assert batch.target.shape == (4, side, side, 3)
    for low, target in zip(batch.low.numpy(), batch.target.numpy(), strict=True):
        near = resize(low, (side, side)) if times > 1 else low
        assert np.abs(near.astype(int) - target).mean() < 12
    learner = Learner(task.network(), task, schedule, torch.device("cpu"), compiled=False)
    losses = [learner.step(task.draw(source), number, 0.1).item() for number in range(80)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    shown = torch.from_numpy(scaled[0].low[:1]).permute(0, 3, 1, 2).float() / 255
    assert task.enlarged(learner.average, shown, 96).shape == (1, 3, 96, 96)


def test_windows_of_implicit_networks_stay_in_their_patches() -> None:
    """LIIF reads the pixels beside the nearest one: in the middle of a picture those must be in the patch too."""
    from edge_sr.models.implicit.liif import LocalEnsemble

    encoder = {"kind": "edsr", "channels": 8, "blocks": 1}
    spec = ModelSpec("made", published="liif", options={"encoder": encoder, "widths": [8, 8]})
    task, schedule = task_for(spec), ScheduleSpec(batch=2, patch=12, warmup=2)
    crops = np.random.default_rng(0).integers(0, 256, (3, 120, 120, 3)).astype(np.uint8)
    scales, shares = task.scales(schedule, 6, 0)
    source = BatchSource(
        crops, np.full(3, 1 / 3), [scale_crops(crops, scale) for scale in scales], shares, schedule, 0
    )
    learner = Learner(task.network(), task, schedule, torch.device("cpu"), compiled=False)
    for number in range(12):
        batch = task.draw(source)
        ensemble = LocalEnsemble.from_grid(batch.grid, torch.zeros(1))
        for axis in (ensemble.y, ensemble.x):
            assert min(int(places.min()) for places in axis.places) >= 0
            assert max(int(places.max()) for places in axis.places) < 12
        assert np.isfinite(learner.step(batch, number, 0.1).item())


def test_a_network_taught_to_be_steady_lets_less_noise_through() -> None:
    """Fine detail has to be enlarged, and so is noise, unless the loss weighs it."""
    assert noise_gain_after_learning(steadiness=0.5) < 0.9 * noise_gain_after_learning(steadiness=0.0)


def noise_gain_after_learning(steadiness: float) -> float:
    spec = ModelSpec("m", EncoderSpec("residual", 8, 1), DecoderSpec(3, False, (8,), bilinear_base=True))
    schedule = ScheduleSpec(batch=4, patch=12, samples=2, rate=1e-2, warmup=10, steadiness=steadiness)
    torch.manual_seed(0)
    crops = np.random.default_rng(0).integers(0, 256, (3, 72, 72, 3)).astype(np.uint8)
    source = BatchSource(
        crops, np.full(3, 1 / 3), [scale_crops(crops, Fraction(3, 2))], np.ones(1), schedule, 0
    )
    task = task_for(spec)
    learner = Learner(task.network(), task, schedule, torch.device("cpu"), compiled=False, exact=True)
    for number in range(80):
        learner.step(task.draw(source), number, 0.1)
    picture = torch.rand(1, 3, 24, 24)
    noise = 0.01 * torch.randn_like(picture)
    with torch.no_grad():
        plain, shaken = (task.enlarged(learner.network, one, 48) for one in (picture, picture + noise))
    return loss.noise_gain(plain, shaken, noise).item()


class BrokenOff(torch._dynamo.exc.BackendCompilerFailed):  # type: ignore[misc]
    """What PyTorch raises when Ctrl-C, which a terminal sends to all, ends the compiler that a step waits for."""

    def __init__(self, said: str = "CppCompileError") -> None:
        RuntimeError.__init__(self, said)


@pytest.mark.parametrize("broken", [1, 2])
def test_a_step_whose_compiler_was_broken_off_is_done_all_the_same(broken: int) -> None:
    spec = ModelSpec("m", EncoderSpec("residual", 8, 1), DecoderSpec(3, False, (8,), bilinear_base=True))
    schedule = ScheduleSpec(batch=2, patch=12, samples=2, steadiness=0.5)
    crops = np.random.default_rng(0).integers(0, 256, (3, 72, 72, 3)).astype(np.uint8)
    scaled = [scale_crops(crops, Fraction(3, 2))]
    found = []
    for fails in (0, broken):
        torch.manual_seed(0)
        task = task_for(spec)
        batch = task.draw(BatchSource(crops, np.full(3, 1 / 3), scaled, np.ones(1), schedule, 0))
        learner = Learner(task.network(), task, schedule, torch.device("cpu"), compiled=False, exact=True)
        calls = iter(range(1, 9))
        predict = learner._predict

        def breaking(
            low: Any, batch: Any, predict: Any = predict, calls: Any = calls, fails: int = fails
        ) -> Any:
            if next(calls) == fails:
                raise BrokenOff
            return predict(low, batch)

        learner._predict = breaking
        found.append([learner.step(batch, 0, 0.1), *learner.network.parameters(), torch.rand(1)])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_compiler_that_does_not_work_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """As g++ is where Python's headers are missing."""
    spec = ModelSpec("m", EncoderSpec("residual", 8, 1), DecoderSpec(3, False, (8,), bilinear_base=True))
    schedule = ScheduleSpec(batch=2, patch=12, samples=2)
    crops = np.zeros((3, 72, 72, 3), np.uint8)
    scaled = [scale_crops(crops, Fraction(3, 2))]
    task = task_for(spec)
    learner = Learner(task.network(), task, schedule, torch.device("cpu"), compiled=False, exact=True)

    def broken(*_: Any) -> Any:
        raise BrokenOff(
            "CppCompileError: C++ compile error\n\nOutput:\nx.h:1:10: fatal error: Python.h: none"
        )

    monkeypatch.setattr(learner, "_predict", broken)
    batch = task.draw(BatchSource(crops, np.full(3, 1 / 3), scaled, np.ones(1), schedule, 0))
    with pytest.raises(
        MissingError, match=r"cannot compile the step: x\.h:1:10: fatal error: Python\.h: none; "
    ):
        learner.step(batch, 0, 0.1)
