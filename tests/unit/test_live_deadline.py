"""The deadline controller against simulated machines."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest

from edge_sr.live.deadline import Cost, ScaleController

PERIOD = 1 / 25
FIXED, PIXEL = 0.012, 0.005  # seconds a frame, and for each output pixel at scale 1


@dataclasses.dataclass
class Run:
    """What the simulation saw: one entry a frame."""

    controller: ScaleController
    times: list[float] = dataclasses.field(default_factory=list)
    scales: list[float] = dataclasses.field(default_factory=list)
    costs: list[float] = dataclasses.field(default_factory=list)

    @property
    def misses(self) -> float:
        return sum(cost > PERIOD for cost in self.costs) / len(self.costs)

    def between(self, start: float, stop: float) -> list[float]:
        return [scale for time, scale in zip(self.times, self.scales, strict=True) if start <= time < stop]


def simulate(load: Callable[[float], float], noise: float, seconds: float = 60, seed: int = 1) -> Run:
    random_ = random.Random(seed)
    run = Run(ScaleController(PERIOD, 1.0, 2.0))
    now = 0.0
    while now < seconds:
        fixed = FIXED * load(now) * random_.lognormvariate(0, noise)
        pixels = PIXEL * load(now) * run.controller.scale**2 * random_.lognormvariate(0, noise)
        run.times.append(now)
        run.scales.append(run.controller.scale)
        run.costs.append(fixed + pixels)
        run.controller.observe(Cost(fixed + pixels, pixels), now)
        now += max(PERIOD, fixed + pixels)
    return run


def steady(_: float) -> float:
    return 1.0


def step(now: float) -> float:
    return 1.6 if 10 <= now < 30 else 1.0


def throttling(now: float) -> float:
    """Thirty seconds of growing heat, then cool again."""
    return 1 + 0.7 * min(1.0, max(0.0, (now - 5) / 30)) if now < 45 else 1.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("load", [steady, step, throttling])
def test_fewer_than_one_frame_in_a_hundred_is_late(
    load: Callable[[float], float], noise: float, seed: int
) -> None:
    assert simulate(load, noise, seed=seed).misses < 0.01


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_step_is_settled_within_two_seconds(noise: float) -> None:
    run = simulate(step, noise)
    loaded = run.between(12, 30)
    assert max(loaded) - min(loaded) <= 0.1
    assert max(loaded) < run.between(8, 10)[0]
    relieved = run.between(32, 60)
    assert max(relieved) - min(relieved) <= 0.1
    assert min(relieved) > 1.9


def test_steady_load_never_moves_the_scale() -> None:
    assert simulate(steady, 0.05).controller.changes == 0


def test_noise_does_not_make_it_swing() -> None:
    assert simulate(step, 0.1).controller.changes <= 20


def test_a_fixed_cost_beyond_the_period_ends_at_the_lowest_scale() -> None:
    run = simulate(lambda _: 4.0, 0.05, seconds=5)
    assert run.controller.scale == 1.0


def test_one_slow_frame_costs_little_and_is_made_up() -> None:
    controller = ScaleController(PERIOD, 1.0, 2.0)
    for number in range(200):
        slow = 3.0 if number == 50 else 1.0
        pixels = PIXEL * controller.scale**2
        controller.observe(Cost((FIXED + pixels) * slow, pixels * slow), number * PERIOD)
    assert controller.scale == 2.0


def test_the_scale_uses_most_of_the_time_there_is() -> None:
    run = simulate(lambda _: 1.6, 0.02, seconds=20)
    assert 0.75 * PERIOD < run.costs[-1] < PERIOD
