"""The roofline of a frame: where encoder and decoder stand below what the processor and its memory allow.

A part's intensity is its work divided by the bytes it cannot avoid moving: pictures, and the maps between the
two parts, once each. Left of the ridge memory is the limit, right of it arithmetic (Williams, Waterman and
Patterson, 2009).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from html import escape
from math import log10
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.benchmark.cost import bundle_cost
from edge_sr.bundle import Bundle
from edge_sr.sizes import Size

WIDTH, HEIGHT, MARGIN = 640, 360, 48
LOW_X, HIGH_X = 0.1, 10000.0  # operations a byte
MAP_BYTES, PICTURE_BYTES = 4, 3  # a float32 map's value; an 8-bit pixel
COPY_MB = 256  # of all threads together: far beyond the caches

Array = NDArray[np.float32]


class Part(NamedTuple):
    """What one part of a frame did: 10^9 operations, 10^9 bytes it had to move, and the time it took."""

    label: str
    gflop: float
    gigabytes: float
    milliseconds: float

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.gflop / self.gigabytes

    @property
    def gflops(self) -> float:
        return 1000 * self.gflop / self.milliseconds


class Roof(NamedTuple):
    """The machine's limits: GFLOPS, and gigabytes a second of memory read and written."""

    gflops: float
    bandwidth: float

    def at(self, intensity: float) -> float:
        """The most GFLOPS at an intensity."""
        return min(self.gflops, self.bandwidth * intensity)


def frame_parts(
    bundle: Bundle, input_size: Size, output_size: Size, encoder_ms: float, decoder_ms: float
) -> list[Part]:
    """Encoder and decoder of one frame, or the one of them that has work; sizes are ``(width, height)``."""
    encoder_gflop, decoder_gflop = bundle_cost(bundle).parts(input_size, output_size)
    lr, hr = input_size[0] * input_size[1], output_size[0] * output_size[1]
    encoder, decoder = (bundle.find(role, bundle.precisions[0]) for role in ("encoder", "decoder"))
    maps = 0 if encoder is None else encoder.outputs[0].shape[1] * MAP_BYTES * lr
    image, frame = PICTURE_BYTES * lr, PICTURE_BYTES * hr
    again = image if decoder is None or any(port.name == "image" for port in decoder.inputs) else 0
    parts = [
        Part("encoder", encoder_gflop, 1e-9 * (image + maps), encoder_ms),
        Part("decoder", decoder_gflop, 1e-9 * (maps + again + frame), decoder_ms),
    ]
    return [part for part in parts if part.gflop]


def measured_bandwidth(threads: int, seconds: float = 0.5) -> float:
    """Gigabytes a second, reads and writes together, of ``threads`` threads copying large arrays."""
    length = (COPY_MB << 18) // threads
    # Both filled: pages that were never written would be counted with the copy.
    pairs = [(np.ones(length, np.float32), np.ones(length, np.float32)) for _ in range(threads)]
    moved = 2 * sum(source.nbytes for source, _ in pairs)
    with ThreadPoolExecutor(threads) as pool:
        return max(_copy_rates(pool, pairs, seconds)) * moved / 1e9


def _copy_rates(
    pool: ThreadPoolExecutor, pairs: Sequence[tuple[Array, Array]], seconds: float
) -> Iterator[float]:
    """How many times a second all pairs are copied, measured again and again."""
    until = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        wait([pool.submit(np.copyto, target, source) for source, target in pairs])
        stop = time.perf_counter()
        yield 1 / (stop - start)
        if stop > until:
            return


def summary(parts: Sequence[Part], roof: Roof) -> str:
    """A line for each part: intensity, speed, and the share of what the roof allows there."""
    lines = [f"roof: {roof.gflops:.0f} GFLOPS, {roof.bandwidth:.1f} GB/s"]
    for part in parts:
        limit = roof.at(part.intensity)
        bound = "memory" if limit < roof.gflops else "arithmetic"
        share = part.gflops / limit
        lines.append(
            f"{part.label}: {part.intensity:.0f} operations a byte, {part.gflops:.0f} GFLOPS, "
            f"{share:.0%} of the roof ({bound})"
        )
    return "\n".join(lines)


def drawing(title: str, parts: Sequence[Part], roof: Roof) -> str:
    """An SVG without a style: the roof, and a mark for each part, both axes logarithmic."""
    top = 10 ** (int(log10(max(roof.gflops, *(part.gflops for part in parts)))) + 1)
    body = [*_axes(top), _roof(roof, top)]
    for i, part in enumerate(parts):
        body += _mark(part, i, top)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    words = f'<text x="{WIDTH / 2:.0f}" y="16" text-anchor="middle">{escape(title)}</text>'
    return f"{head}<title>{escape(title)}</title>{words}{''.join(body)}</svg>"


def _x(intensity: float) -> float:
    inside = min(max(intensity, LOW_X), HIGH_X)
    return MARGIN + (WIDTH - 2 * MARGIN) * log10(inside / LOW_X) / log10(HIGH_X / LOW_X)


def _y(gflops: float, top: float) -> float:
    low = top / 10000
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * log10(max(gflops, low) / low) / log10(top / low)


def _axes(top: float) -> list[str]:
    left, right, floor = MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN
    out = [f'<text x="{right}" y="{HEIGHT - 8}" text-anchor="end">operations a byte</text>']
    out.append('<text x="4" y="16">GFLOPS</text>')
    for power in range(-1, 5):
        x = _x(10.0**power)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{MARGIN}" y2="{floor}"/>')
        out.append(
            f'<text class="axis" x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{10.0**power:g}</text>'
        )
    for power in range(5):
        value = top / 10**power
        y = _y(value, top)
        out.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="axis" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    return out


def _roof(roof: Roof, top: float) -> str:
    corners = (LOW_X, roof.gflops / roof.bandwidth, HIGH_X)
    points = " ".join(f"{_x(x):.1f},{_y(roof.at(x), top):.1f}" for x in corners)
    label = f'<text x="{WIDTH - MARGIN}" y="{_y(roof.gflops, top) - 6:.1f}" text-anchor="end">'
    return f'<polyline class="front" points="{points}"/>{label}{roof.gflops:.0f} GFLOPS</text>'


def _mark(part: Part, series: int, top: float) -> list[str]:
    x, y = _x(part.intensity), _y(part.gflops, top)
    words = escape(f"{part.label}: {part.gflops:.0f} GFLOPS")
    return [
        f'<circle class="mark s{series}" cx="{x:.1f}" cy="{y:.1f}" r="6"><title>{words}</title></circle>',
        f'<text x="{x + 10:.1f}" y="{y + 18 + 16 * series:.1f}">{words}</text>',
    ]
