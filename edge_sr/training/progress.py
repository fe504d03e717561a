"""What a run says of itself, and its curve."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

from edge_sr.files.atomic import write_whole
from edge_sr.machine.optional import require
from edge_sr.training.data.scale_set import WHOLE_SCALES
from edge_sr.training.state import Record

Say = Callable[[str], None]
PACE_SECONDS = 10.0


def line(record: Record, steps_a_second: float, remaining_seconds: float) -> str:
    """One validation in words."""
    figures = ", ".join(
        f"x{scale} {value:.3f}" for scale, value in zip(WHOLE_SCALES, record.psnr, strict=True)
    )
    loss = "" if record.loss is None else f"loss {record.loss:.5f}, "
    told = f"step {record.step}: {loss}validation {figures} dB (luma)"
    if not record.step:  # how long a step takes is not known yet
        return told
    return f"{told}, {steps_a_second:.1f} steps/s, {clock(remaining_seconds)} left"


class Pace:
    """Says how many steps a second there are, once, after the first ten seconds of steps.

    The first step is left out, which waits for a compiler.
    """

    def __init__(self, step: int, say: Say) -> None:
        self._first, self._say = step + 1, say
        self._begun: float | None = None
        self._told = False

    def tell(self, step: int) -> None:
        """``step`` is done."""
        now = time.monotonic()
        if self._begun is None:
            self._begun = now
        elif not self._told and now - self._begun >= PACE_SECONDS:
            self._told = True
            self._say(f"{(step - self._first) / (now - self._begun):.1f} steps/s")


def clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def draw_curve(history: list[Record], path: Path) -> None:
    """Loss and validation PSNR over the steps, as a PNG."""
    require("matplotlib", "the training curve")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    steps = [record.step for record in history]
    for index, scale in enumerate(WHOLE_SCALES):
        gain = [record.psnr[index] - history[0].psnr[index] for record in history]
        above.plot(steps, gain, label=f"x{scale}, from {history[0].psnr[index]:.2f} dB")
    above.set_ylabel("validation, luma PSNR, gain in dB")
    above.legend()
    losses = [(record.step, record.loss) for record in history if record.loss is not None]
    below.plot([step for step, _ in losses], [loss for _, loss in losses])
    below.set_ylabel("training loss")
    below.set_xlabel("step")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    write_whole(path, buffer.getvalue())
