"""Each instruction of ``machine.h`` against numpy, on the emulated GPU or on a real one."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.kernels import Kernel, Launch, Parameters

Array = NDArray[Any]


@dataclass(frozen=True)
class ProbeForm:
    """As the forms of networks: what is compiled."""

    name: str = "probes"
    source: str = "probes.cu"

    @property
    def defines(self) -> dict[str, str]:
        return {}


class ProbeParameters(Parameters):
    _fields_ = tuple((name, ctypes.c_uint64) for name in "abcd")


class Machine(Protocol):
    """A GPU for tests."""

    def place(self, array: Array) -> int: ...

    def empty(self, shape: Any, dtype: Any) -> Array: ...

    def address(self, array: Array) -> int: ...

    def fetch(self, array: Array) -> Array: ...

    def run(self, *launches: Launch) -> None: ...


NOTHING = np.zeros((32, 4), np.uint32)


def run(gpu: Machine, name: str, a: Array = NOTHING, b: Array = NOTHING, c: Array = NOTHING) -> Array:
    """What the lanes store, ``32 x 4`` words."""
    d = gpu.empty((32, 4), np.uint32)
    places = [gpu.place(np.ascontiguousarray(array)) for array in (a, b, c)]
    kernel = Kernel(ProbeForm(), f"probe_{name}", 32, 512, (1, 1))  # type: ignore[arg-type]
    gpu.run(Launch(kernel, (1, 1), ProbeParameters(*places, gpu.address(d))))
    return gpu.fetch(d)


# Where operands lie in the lanes, by the PTX ISA: g is the lane divided by 4, t the rest.
LANE = np.arange(32)
G, T = LANE // 4, LANE % 4


def a_operand(matrix: Array, step: int) -> Array:
    """16 x 2 step rows and columns; ``step`` values of a column's run make a register: 2 halves or 4 bytes."""
    run_of = step * T[:, None] + np.arange(step)
    half = matrix.shape[1] // 2
    parts = [matrix[(G + 8 * (r % 2))[:, None], run_of + half * (r // 2)] for r in range(4)]
    return np.stack(parts, axis=1)


def b_operand(matrix: Array, step: int) -> Array:
    run_of = step * T[:, None] + np.arange(step)
    half = len(matrix) // 2
    return np.stack([matrix[run_of + half * r, G[:, None]] for r in range(2)], axis=1)


def sums_operand(matrix: Array) -> Array:
    """16 x 8 to the lanes' four."""
    rows, columns = G[:, None] + 8 * (np.arange(4) // 2), 2 * T[:, None] + np.arange(4) % 2
    return np.ascontiguousarray(matrix[rows, columns])


def check(gpu: Machine) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it is as it should be, and how far off."""
    random = np.random.default_rng(3)
    a, b, c = (random.normal(0, 1, shape).astype(np.float16) for shape in ((16, 16), (16, 8), (16, 8)))
    want = sums_operand(a.astype(np.float64) @ b + c)
    operands = a_operand(a, 2), b_operand(b, 2)
    off = np.abs(
        run(gpu, "multiply", *operands, sums_operand(c.astype(np.float32))).view(np.float32) - want
    ).max()
    yield "multiply", bool(off < 1e-5), f"{off:.2g}"
    start = np.zeros((32, 8), np.float16)
    start[:, :4] = sums_operand(c)
    result = run(gpu, "multiply_half", *operands, start).view(np.float16).reshape(32, 8)[:, :4]
    off = np.abs(result - want).max()
    yield "multiply_half", bool(off < 0.02), f"{off:.2g}"
    yield from _check_int8(gpu, random)
    yield from _check_matrices(gpu, random)
    x = np.linspace(-6.28, 6.28, 128, dtype=np.float32).reshape(32, 4)
    off = np.abs(run(gpu, "sine", c=x).view(np.float32) - np.sin(x.astype(np.float64))).max()
    yield "sine", bool(off < 2**-20.4), f"{off:.2g}"
    yield from _check_rounding(gpu, random)


def _check_int8(gpu: Machine, random: np.random.Generator) -> Iterator[tuple[str, bool, str]]:
    a = random.integers(-128, 128, (16, 32)).astype(np.int8)
    b = random.integers(-128, 128, (32, 8)).astype(np.int8)
    c = random.integers(-1000, 1000, (16, 8)).astype(np.int32)
    found = run(gpu, "multiply_int8", a_operand(a, 4), b_operand(b, 4), sums_operand(c)).view(np.int32)
    yield "multiply_int8", bool(np.array_equal(found, sums_operand(a.astype(int) @ b + c))), ""
    wide = random.integers(-300, 300, (32, 4)).astype(np.int32)
    bytes_ = run(gpu, "bytes", c=wide)[:, 0].copy().view(np.int8).reshape(32, 4)
    yield "signed bytes", bool(np.array_equal(bytes_, np.clip(wide, -128, 127))), ""


def _check_matrices(gpu: Machine, random: np.random.Generator) -> Iterator[tuple[str, bool, str]]:
    rows = random.integers(0, 1 << 16, (32, 8)).astype(np.uint16)
    kept = np.where(LANE[:, None] % 2 == 0, rows, 0)
    found = run(gpu, "matrices", rows).view(np.uint16).reshape(32, 4, 2)
    named = (8 * np.arange(4) + G[:, None]) ^ 5
    want = np.stack([kept[named, (2 * T + e)[:, None]] for e in range(2)], axis=2)
    yield "matrices and copies", bool(np.array_equal(found, want)), ""


def _check_rounding(gpu: Machine, random: np.random.Generator) -> Iterator[tuple[str, bool, str]]:
    x = random.normal(0, 3, (32, 4)).astype(np.float32)
    x[:, 2] = random.integers(-9, 9, 32) + 0.5
    x[0, :2] = 65504, 1e-7
    found, pair = run(gpu, "rounding", c=x), x[:, :2].astype(np.float16)
    positive = np.maximum(x[:, :2], 0).astype(np.float16)
    right = (
        np.array_equal(found[:, :2].copy().view(np.float32), pair.astype(np.float32))
        and np.array_equal(found[:, 2].copy().view(np.float16).reshape(32, 2), positive)
        and np.array_equal(found[:, 3].view(np.int32), np.rint(x[:, 2]).astype(np.int32))
    )
    yield "rounding", bool(right), ""
