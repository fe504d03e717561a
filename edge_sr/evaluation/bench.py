"""How fast a bundle runs here: times of its two parts, and the share of the machine's peak it reaches."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import EdgeSRError
from edge_sr.evaluation.chart import Bar, bars, standalone
from edge_sr.evaluation.cost import split_cost
from edge_sr.evaluation.files import write_whole
from edge_sr.evaluation.machine import forget_peak_memory, peak_memory_mb
from edge_sr.manifest import Bundle
from edge_sr.optional import require
from edge_sr.runtime.backends import BACKENDS, Backend
from edge_sr.runtime.upscaler import Upscaler

PARTS = ("encoder", "decoder")
SECONDS, LEAST, WARM_UP = (
    3.0,
    5,
    2,
)  # time for a setting, frames at least, frames before the first that counts


@dataclasses.dataclass(frozen=True)
class Setting:
    """One way to run a bundle; sizes are (width, height)."""

    bundle: Bundle
    input_size: tuple[int, int]
    output_size: tuple[int, int]
    backend: str
    precision: str


@dataclasses.dataclass(frozen=True)
class Speed:
    """Medians over ``frames`` frames; ``gflop_per_frame`` counts the products of the exported form."""

    model: str
    backend: str
    encoder_backend: str
    precision: str
    input_size: str
    output_size: str
    frames: int
    encoder_ms: float
    decoder_ms: float
    fps: float
    gflop_per_frame: float
    gflops: float
    peak_gflops: float
    peak_rss_mb: float

    def mapping(self) -> dict[str, Any]:
        """The JSON form, figures rounded to what they are worth."""
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in dataclasses.asdict(self).items()
        }


def run(setting: Setting, peak_gflops: float) -> Speed:
    """Time ``setting`` on a picture of noise; raises what ``Upscaler`` raises."""
    forget_peak_memory()
    with Upscaler(setting.bundle, backend=setting.backend, precision=setting.precision) as upscaler:
        times = list(_times(upscaler, setting))
        fps = 1000 / median(total for _, _, total in times)
        work = split_cost(setting.bundle.network).gflop(setting.input_size, setting.output_size)
        return Speed(
            model=setting.bundle.name,
            backend=upscaler.backend,
            encoder_backend=upscaler.encoder_backend,
            precision=upscaler.precision,
            input_size=_text(setting.input_size),
            output_size=_text(setting.output_size),
            frames=len(times),
            encoder_ms=median(encoder for encoder, _, _ in times),
            decoder_ms=median(decoder for _, decoder, _ in times),
            fps=fps,
            gflop_per_frame=work,
            gflops=work * fps,
            peak_gflops=peak_gflops,
            peak_rss_mb=peak_memory_mb(),
        )


def run_all(
    setting: Setting, peak_gflops: float, notify: Callable[[str], None]
) -> tuple[list[Speed], dict[str, str]]:
    """Every backend and precision that runs here, and for each of the others why it does not."""
    found: list[Speed] = []
    skipped: dict[str, str] = {}
    for backend in BACKENDS.values():
        if reason := backend.obstacle():
            skipped[backend.name] = reason
            continue
        for precision in precisions(setting.bundle, backend):
            name = f"{backend.name} {precision}"
            notify(name)
            asked = dataclasses.replace(setting, backend=backend.name, precision=precision)
            try:
                found.append(run(asked, peak_gflops))
            except EdgeSRError as error:
                skipped[name] = str(error)
    return found, skipped


def precisions(bundle: Bundle, backend: Backend) -> tuple[str, ...]:
    """What to ask for. INT8 is one precision, however many placements the bundle carries."""
    carried = (name.partition("-")[0] for name in bundle.precisions)
    return tuple(dict.fromkeys([*carried, *backend.lowers()]))


def table(found: list[Speed], skipped: dict[str, str]) -> str:
    """The figures as text, a line for each setting, with the share of the peak; then what did not run."""
    head = (
        f"{'backend':<14}{'precision':<10}{'encoder ms':>11}{'decoder ms':>11}{'fps':>8}"
        f"{'GFLOPS':>9}{'of peak':>9}{'MB':>7}"
    )
    work = [
        f"{found[0].model}, {found[0].input_size} to {found[0].output_size}: "
        f"{found[0].gflop_per_frame:.2f} GFLOP a frame; peak {found[0].peak_gflops:.0f} GFLOPS"
        for _ in found[:1]
    ]
    absent = [f"not run: {name}: {reason}" for name, reason in skipped.items()]
    return "\n".join([*work, head, *map(_line, found), *absent])


def write_plot(found: list[Speed], path: Path) -> None:
    """A bar for each setting, encoder and decoder apart; SVG is drawn here, PNG and PDF by matplotlib."""
    first = found[0]
    title = f"{first.model}, {first.input_size} to {first.output_size}, ms a frame"
    rows = [
        Bar(f"{speed.backend} {speed.precision}", (speed.encoder_ms, speed.decoder_ms)) for speed in found
    ]
    drawn = (
        standalone(bars(title, rows, PARTS)).encode() if path.suffix == ".svg" else _drawn(title, rows, path)
    )
    write_whole(path, drawn)


def _drawn(title: str, rows: list[Bar], path: Path) -> bytes:
    figure = require("matplotlib.figure", "edge-sr bench --plot").Figure((8, 1 + 0.4 * len(rows)))
    axes = figure.subplots()
    done = [0.0] * len(rows)
    for i, part in enumerate(PARTS):
        axes.barh([row.label for row in rows], [row.parts[i] for row in rows], left=done, label=part)
        done = [start + row.parts[i] for start, row in zip(done, rows, strict=True)]
    axes.invert_yaxis()
    axes.set_title(title)
    axes.legend()
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower())
    return buffer.getvalue()


def _times(upscaler: Upscaler, setting: Setting) -> Iterator[tuple[float, float, float]]:
    """Milliseconds of encoder, decoder and the whole, frame by frame."""
    frame = noise(setting.input_size)
    for _ in range(WARM_UP):
        upscaler(frame, size=setting.output_size)
    until, done = time.perf_counter() + SECONDS, 0
    while done < LEAST or time.perf_counter() < until:
        start = time.perf_counter()
        upscaler(frame, size=setting.output_size)
        total = 1000 * (time.perf_counter() - start)
        yield upscaler.timings.encoder_ms, upscaler.timings.decoder_ms, total
        done += 1


def noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    """A fixed picture of noise, ``H x W x 3``: the time does not depend on what is seen."""
    return np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)


def _line(speed: Speed) -> str:
    # The peak is the processor's: of a GPU it says nothing.
    share = "" if speed.backend.startswith("tensorrt") else f"{speed.gflops / speed.peak_gflops:.0%}"
    return (
        f"{speed.backend:<14}{speed.precision:<10}{speed.encoder_ms:>11.1f}{speed.decoder_ms:>11.1f}"
        f"{speed.fps:>8.2f}{speed.gflops:>9.1f}{share:>9}{speed.peak_rss_mb:>7.0f}"
    )


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
