"""What every backend offers: a pair of graphs for one bundle, precision and kind of frame."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from numpy.typing import NDArray

from edge_sr.grid import SamplingGrid

Maps = Any
"""Modulation maps in the runner's own keeping: an array on the CPU, device memory elsewhere."""


class Runner(Protocol):
    """An open pair of encoder and decoder.

    ``backend`` is the decoder's, ``encoder_backend`` the encoder's. A runner serves one frame at a time; what
    ``encode`` returns stays valid until ``close``. The conformance tests hold every backend to the same results.
    """

    backend: str
    encoder_backend: str
    precision: str

    def encode(self, image: NDArray[Any]) -> Maps:
        """Maps of ``1 x h x w x 3``, uint8 or float32 in [0, 1] as the pair was opened for."""

    def decode(self, maps: Maps, image: NDArray[Any], grid: SamplingGrid) -> NDArray[Any]:
        """``1 x Ht x Wt x 3`` at the grid's positions, whose rows and columns index ``maps`` and ``image``.

        The dtype is the image's. In mode 4 the grid carries one more position on each side.
        """

    def close(self) -> None:
        """Free sessions, threads and device memory; the runner is of no use afterwards."""


class ClosingRunner:
    """A context manager over ``close``, for runners to derive from."""

    def close(self) -> None:
        raise TypeError(f"{type(self).__name__} must say how it closes")

    def __enter__(self) -> ClosingRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def available_cores() -> int:
    """Cores that this process may use, its affinity and container quota heeded."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota() or cores))


def _quota() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, int(quota) // int(period))
