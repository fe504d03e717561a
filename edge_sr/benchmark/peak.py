"""The most work this machine does in a second, measured: what a frame's work is held against.

For float32 the best of three kernels, each the best its library has, on the same number of threads: a large product in
numpy, and a large ``Gemm`` and a large 3 x 3 ``Conv`` in ONNX Runtime; and of the native library's own loop. For
bfloat16 and INT8 that library's loops: nothing but the multiply-adds of the kernel that runs them, on registers.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from edge_sr.machine.child import NUMPY_THREADS, python_child

CHANNELS, PICTURE = 64, (180, 320)  # of the convolution, as large as an encoder's
WIDTH, ROWS = 1024, 2048  # of the products: far beyond the caches' overheads
SECONDS = 0.5  # for each kernel; the best of its runs counts

PRODUCT = "from edge_sr.benchmark.peak import numpy_gflops as g; print(g(float(sys.argv[1])))"


class Peak(NamedTuple):
    """GFLOPS of each kernel; a multiply-add counts as two."""

    numpy: float
    gemm: float
    conv: float

    @property
    def best(self) -> float:
        return max(self)


def measure(threads: int, seconds: float = SECONDS) -> Peak:
    """The three kernels on ``threads`` threads, about ``seconds`` each, on a machine otherwise idle."""
    gemm = onnx_gflops("gemm", (ROWS, WIDTH), 2 * ROWS * WIDTH**2, threads, seconds)
    height, width = PICTURE
    work = 2 * 9 * CHANNELS**2 * height * width
    conv = onnx_gflops("conv", (1, CHANNELS, height, width), work, threads, seconds)
    return Peak(_numpy_on(threads, seconds), gemm, conv)


def by_precision(threads: int) -> dict[str, float]:
    """GFLOPS by precision, where the processor has products for it; ``fp32`` always."""
    from edge_sr.backends.native.kernels import peak_gflops

    own = {name: max(peak_gflops(name, threads).values(), default=0.0) for name in ("fp32", "bf16", "int8")}
    found = {"fp32": max(measure(threads).best, own["fp32"])}
    return {**found, **{name: peak for name, peak in own.items() if name != "fp32" and peak > 0}}


def numpy_gflops(seconds: float) -> float:
    """A float32 product in this process, on as many threads as its BLAS was started with."""
    a = np.random.default_rng(0).random((ROWS, ROWS), np.float32)
    out = np.empty_like(a)
    return _best(lambda: np.matmul(a, a, out=out), 2 * ROWS**3, seconds)


def _numpy_on(threads: int, seconds: float) -> float:
    # A BLAS takes its number of threads from the environment when it is loaded: hence a process of its own.
    environment = {**os.environ, **dict.fromkeys(NUMPY_THREADS, str(threads))}
    command = python_child(PRODUCT, str(seconds))
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def onnx_gflops(name: str, shape: tuple[int, ...], work: float, threads: int, seconds: float) -> float:
    """One of the packaged graphs, ``gemm`` or ``conv``, on float32 of ``shape``; ``work`` in operations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    graph = files("edge_sr.benchmark").joinpath("graphs", f"peak-{name}.onnx").read_bytes()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feed = {"x": np.random.default_rng(0).random(shape, np.float32)}
    return _best(lambda: session.run(None, feed), work, seconds)


def _best(kernel: Callable[[], object], work: float, seconds: float) -> float:
    kernel()
    shortest, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        kernel()
        shortest = min(shortest, time.perf_counter() - start)
    return work / shortest / 1e9
