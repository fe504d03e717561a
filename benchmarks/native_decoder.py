"""Nanoseconds an output pixel that the native decoder's kernels take, for any form of network.

Weights are random: the time does not depend on them. Each kernel's best of several runs counts.

    python benchmarks/native_decoder.py [--widths 64,64,64,64] [--scale 3.3] [--input-size 320x180]
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.native.decoder import NativeDecoder
from edge_sr.backends.native.library import kernels
from edge_sr.grid import sampling_grid
from edge_sr.machine.description import available_cores
from edge_sr.sizes import output_size, parse_scale

Arrays = dict[str, NDArray[np.float32]]


class Form(NamedTuple):
    """What is decoded; sizes are (width, height)."""

    mode: int
    widths: tuple[int, ...]
    input_size: tuple[int, int]
    output_size: tuple[int, int]

    @property
    def products(self) -> int:
        """Multiply-adds for each output pixel."""
        pairs = zip(self.widths, self.widths[1:], strict=False)
        interactions = sum(a * b for a, b in pairs) * (2 if self.mode == 3 else 1)
        return 3 * self.widths[0] + interactions + 3 * self.widths[-1]


def random_weights(form: Form) -> Arrays:
    random = np.random.default_rng(0)
    inputs = (3, *form.widths)
    weights = {"last.weight": random.normal(size=(3, form.widths[-1])), "last.bias": random.normal(size=3)}
    for i, width in enumerate(form.widths):
        weights[f"synthesis.{i}.weight"] = random.normal(size=(width, inputs[i])) / inputs[i] ** 0.5
        weights[f"synthesis.{i}.bias"] = random.normal(size=width)
        weights[f"modulation.{i}.weight"] = random.normal(size=(width, inputs[i])) / inputs[i] ** 0.5
    return {name: value.astype(np.float32) for name, value in weights.items()}


def seconds(decoder: NativeDecoder, form: Form, runs: int) -> float:
    width, height = form.input_size
    random = np.random.default_rng(1)
    maps = random.random((1, sum(form.widths), height, width), np.float32)
    image = random.integers(0, 256, (1, height, width, 3)).astype(np.uint8)
    grid = sampling_grid(form.input_size, form.output_size)
    out: NDArray[Any] = np.empty((1, form.output_size[1], form.output_size[0], 3), np.uint8)
    fastest = float("inf")
    for _ in range(runs + 1):
        start = time.perf_counter()
        decoder.decode(maps, image, grid.rows, grid.cols, grid.offset_y, grid.offset_x, grid.ratio, out)
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def report(form: Form, kernel: str, threads: int, runs: int) -> str:
    with NativeDecoder(random_weights(form), form.widths, form.mode, True, threads, kernel) as decoder:
        taken = seconds(decoder, form, runs)
    pixels = form.output_size[0] * form.output_size[1]
    rate = 2e-9 * form.products * pixels / taken
    return f"{kernel:<12} {1e3 * taken:8.2f} ms {1e9 * taken / pixels:7.1f} ns a pixel {rate:7.1f} GFLOPS"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--widths", default="64,64,64,64")
    parser.add_argument("--mode", type=int, default=3)
    parser.add_argument("--input-size", default="320x180")
    parser.add_argument("--scale", default="3.3")
    parser.add_argument("--kernel", action="append", help="one or several; all by default")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    options = parsed()
    width, height = (int(side) for side in options.input_size.split("x"))
    size = output_size(width, height, scale=parse_scale(options.scale))
    widths = tuple(int(each) for each in options.widths.split(","))
    form = Form(options.mode, widths, (width, height), size)
    sizes = f"{options.input_size} to {size[0]}x{size[1]}"
    print(f"{options.widths}, mode {form.mode}, {sizes}, {options.threads} threads")
    for kernel in options.kernel or kernels():
        print(report(form, kernel, options.threads, options.runs), flush=True)


if __name__ == "__main__":
    main()
