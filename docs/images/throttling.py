"""Makes docs/images/throttling.png: what `camera --fps 25` does on a simulated machine that grows hot and cools.

Usage: python docs/images/throttling.py
"""

from __future__ import annotations

import random
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from edge_sr.camera.pacing.deadline import FrameCost, ScaleController

PERIOD, SECONDS, NOISE = 1 / 25, 70.0, 0.05
FIXED, PIXEL = 0.012, 0.005  # seconds a frame when cool, and for the decoder at scale 1
Frame = tuple[float, float, float, int]  # time, scale, seconds it took, every so-manyth taken


def slowdown(now: float) -> float:
    """1 when cool; from 5 to 35 s up to 3.2, held for 10 s, then cool within 5 s."""
    hot = min(1.0, max(0.0, (now - 5) / 30)) - min(1.0, max(0.0, (now - 45) / 5))
    return 1 + 2.2 * hot


def frames() -> list[Frame]:
    chance, controller, now = random.Random(1), ScaleController(PERIOD, 1.0, 2.0), 0.0
    seen: list[Frame] = []
    while now < SECONDS:
        fixed = FIXED * slowdown(now) * chance.lognormvariate(0, NOISE)
        pixels = PIXEL * slowdown(now) * controller.scale**2 * chance.lognormvariate(0, NOISE)
        seen.append((now, controller.scale, fixed + pixels, controller.every))
        period = controller.period
        controller.observe(FrameCost(fixed + pixels, pixels), now)
        now += max(period, fixed + pixels)
    return seen


def main() -> None:
    times, scales, costs, every = zip(*frames(), strict=True)
    late = sum(cost > count * PERIOD for cost, count in zip(costs, every, strict=True))
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(8, 5), layout="constrained")
    upper.step(times, scales, where="post", label="the network's scale")
    upper.plot(times, [slowdown(time) for time in times], "--", color="tab:red", label="slowdown by heat")
    upper.set_ylim(0.9, 3.4)
    upper.legend(loc="upper right")
    upper.set_title(f"simulated throttling at 25 frames/s: {late} of {len(times)} frames late")
    lower.plot(times, [1000 * cost for cost in costs], ".", markersize=2, label="a frame's time")
    allowed = [1000 * count * PERIOD for count in every]
    lower.step(times, allowed, where="post", color="black", linewidth=1, label="what it may take")
    lower.set(xlabel="seconds", ylabel="ms", ylim=(0, 95))
    lower.legend(loc="upper right")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=100)


if __name__ == "__main__":
    main()
