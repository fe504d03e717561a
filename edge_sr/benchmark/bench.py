"""How fast a bundle runs here: times of its two parts, and the share of the machine's peak it reaches."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.autotune import choose
from edge_sr.backends.registry import BACKENDS, choose_backend
from edge_sr.benchmark.cost import bundle_cost
from edge_sr.bundle import Bundle
from edge_sr.errors import EdgeSRError
from edge_sr.kinds import GPU_BACKENDS
from edge_sr.machine.memory import forget_peak_rss, peak_rss_mb
from edge_sr.sizes import Size, size_text
from edge_sr.tensors import checked_frame
from edge_sr.upscaler import Upscaler

# Time for a setting, frames at least, frames before the first that counts.
SECONDS, LEAST, WARM_UP = 3.0, 5, 2


@dataclasses.dataclass(frozen=True)
class Setting:
    """One way to run a bundle; sizes are (width, height)."""

    bundle: Bundle
    input_size: Size
    output_size: Size
    backend: str
    precision: str
    threads: int | None = None
    retune: bool = False


@dataclasses.dataclass(frozen=True)
class Speed:
    """Medians over ``frames`` frames; ``gflop_per_frame`` counts the products of the exported form.

    ``peak_gflops`` is the machine's in this precision; ``encoder_share`` is the part of it that the encoder reaches,
    ``decoder_share`` the decoder's of the peak in what its backend computes it in. On a GPU all three are ``None``:
    the peak is the processor's.
    """

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
    peak_gflops: float | None
    encoder_share: float | None
    decoder_share: float | None
    peak_rss_mb: float | None
    placement: str | None = None

    def mapping(self) -> dict[str, Any]:
        """The JSON form, figures rounded to what they are worth; ``placement`` with INT8 alone."""
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in dataclasses.asdict(self).items()
            if value is not None
        }


Peaks = Mapping[str, float]
"""GFLOPS by precision, ``fp32`` among them."""


def check(setting: Setting) -> None:
    """Raises what ``run`` would for a setting that cannot be, before anything is measured.

    ``ShapeError`` for a frame too small, and what ``choose_backend`` and ``choose`` raise.
    """
    checked_frame(noise(setting.input_size))
    if setting.backend != "auto":
        choose_backend(setting.backend, setting.bundle)
        if setting.precision != "auto":
            choose(setting.bundle, setting.backend, setting.precision, 1)


def run(setting: Setting, peaks: Peaks) -> Speed:
    """Time ``setting`` on a picture of noise; raises what ``Upscaler`` raises."""
    forget_peak_rss()
    with Upscaler(
        setting.bundle,
        backend=setting.backend,
        precision=setting.precision,
        threads=setting.threads,
        retune=setting.retune,
    ) as upscaler:
        times = list(_times(upscaler, setting))
        fps = 1000 / median(total for _, _, total in times)
        encoder_ms, decoder_ms = (median(part) for part in list(zip(*times, strict=True))[:2])
        parts = bundle_cost(setting.bundle).parts(setting.input_size, setting.output_size)
        on_gpu = upscaler.backend in GPU_BACKENDS
        peak, around = (
            None if on_gpu else peaks.get(name, peaks["fp32"])
            for name in _computed_in(upscaler.precision, upscaler.backend)
        )
        return Speed(
            model=setting.bundle.name,
            backend=upscaler.backend,
            encoder_backend=upscaler.encoder_backend,
            precision=upscaler.precision,
            input_size=size_text(setting.input_size),
            output_size=size_text(setting.output_size),
            frames=len(times),
            encoder_ms=encoder_ms,
            decoder_ms=decoder_ms,
            fps=fps,
            gflop_per_frame=sum(parts),
            gflops=sum(parts) * fps,
            peak_gflops=peak,
            encoder_share=_share(parts[0], encoder_ms, peak),
            decoder_share=_share(parts[1], decoder_ms, around),
            peak_rss_mb=peak_rss_mb(),
            placement=upscaler.scheme,
        )


def _computed_in(precision: str, decoder: str) -> tuple[str, str]:
    """What the encoder's products are in, and those of the decoder on backend ``decoder``."""
    lowered = precision in ("bf16", "int8") and BACKENDS[decoder].decodes_in_bf16
    return precision, "bf16" if lowered else "fp32"


def _share(gflop: float, milliseconds: float, peak: float | None) -> float | None:
    if peak is None:
        return None
    return 1000 * gflop / milliseconds / peak if milliseconds > 0 else 0.0


def run_all(
    setting: Setting, peaks: Peaks, notify: Callable[[str], None]
) -> tuple[list[Speed], dict[str, str]]:
    """Every backend and precision that runs here, and for each of the others why it does not."""
    found: list[Speed] = []
    skipped: dict[str, str] = {}
    for backend in BACKENDS.values():
        if reason := backend.unavailable_reason():
            skipped[backend.name] = reason
            continue
        for precision in backend.precisions(setting.bundle):
            name = f"{backend.name} {precision}"
            notify(name)
            asked = dataclasses.replace(setting, backend=backend.name, precision=precision)
            try:
                found.append(run(asked, peaks))
            except EdgeSRError as error:
                skipped[name] = str(error)
    return found, skipped


def table(found: list[Speed], skipped: dict[str, str], peaks: Peaks) -> str:
    """The figures as text, a line for each setting, with the parts' shares of the peak; then what did not run."""
    head = (
        f"{'backend':<14}{'precision':<10}{'encoder ms':>11}{'of peak':>9}{'decoder ms':>11}{'of peak':>9}{'fps':>8}"
        f"{'GFLOPS':>9}{'MB':>7}"
    )
    measured = ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items())
    work = [
        f"{found[0].model}, {found[0].input_size} to {found[0].output_size}: "
        f"{found[0].gflop_per_frame:.2f} GFLOP a frame; peak in GFLOPS: {measured}"
        for _ in found[:1]
    ]
    absent = [f"not run: {name}: {reason}" for name, reason in skipped.items()]
    return "\n".join([*work, head, *map(_line, found), *absent])


def _times(upscaler: Upscaler, setting: Setting) -> Iterator[tuple[float, float, float]]:
    """Milliseconds of encoder, decoder and the whole, frame by frame, in a stream as a film makes one."""
    frames = itertools.repeat(noise(setting.input_size))
    results = upscaler.stream(frames, size=setting.output_size)
    for _ in range(WARM_UP):
        next(results)
    until, done = time.perf_counter() + SECONDS, 0
    while done < LEAST or time.perf_counter() < until:
        start = time.perf_counter()
        times = next(results).times
        total = 1000 * (time.perf_counter() - start)
        yield times.encoder_ms, times.decoder_ms, total
        done += 1


def noise(size: Size) -> NDArray[np.uint8]:
    """A fixed picture of noise, ``H x W x 3``: the time does not depend on what is seen."""
    return np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)


def _line(speed: Speed) -> str:
    encoder, decoder = (
        "" if share is None else f"{share:.0%}" for share in (speed.encoder_share, speed.decoder_share)
    )
    return (
        f"{speed.backend:<14}{speed.precision:<10}{speed.encoder_ms:>11.1f}{encoder:>9}{speed.decoder_ms:>11.1f}"
        f"{decoder:>9}{speed.fps:>8.2f}{speed.gflops:>9.1f}{speed.peak_rss_mb or 0:>7.0f}"
    )
