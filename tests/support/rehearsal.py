"""A GPU that is none: engines are built for real, and ONNX Runtime computes their graphs on the checking device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from edge_sr.backends.tensorrt import engines as tensorrt_engines
from edge_sr.backends.tensorrt import open as tensorrt_open
from edge_sr.bundle import open_bundle
from edge_sr.engines.store.identity import EngineKey
from edge_sr.machine.gpu import Gpu
from support.cuda.device import FakeDriver
from support.engine_standin import StandInEngine

GPU = Gpu("NVIDIA GeForce RTX 4060", "8.9", 8192, False, "13.0", 24)


@contextmanager
def on_checking_device(folder: Path) -> Iterator[list[FakeDriver]]:
    """Everything that asks for a GPU gets this one; its drivers are checked for what they left at the end."""
    made: list[FakeDriver] = []

    def driver() -> FakeDriver:
        made.append(FakeDriver())
        return made[-1]

    def engine(_library: object, key: EngineKey, plan: bytes, _kernels: Path) -> StandInEngine:
        assert len(plan) > 1000
        return StandInEngine(made[-1], open_bundle(key.bundle), key)

    with (
        mock.patch.dict(os.environ, {"EDGE_SR_CACHE": str(folder / "engines")}),
        mock.patch.object(tensorrt_open, "unavailable_reason", lambda _: None),
        mock.patch.object(tensorrt_open, "find_gpu", lambda: GPU),
        mock.patch.object(tensorrt_open.choose, "open_driver", driver),
        mock.patch.object(tensorrt_engines, "TensorRTEngine", engine),
    ):
        yield made
    for one in made:
        one.close()
