"""The measured peak: positive, of this machine, and from graphs that are in the package."""

from __future__ import annotations

import pytest

pytest.importorskip("onnxruntime")

from edge_sr.benchmark import peak


def test_every_kernel_runs() -> None:
    found = peak.measure(threads=1, seconds=0.01)
    assert min(found) > 0
    assert found.best == max(found.numpy, found.gemm, found.conv)
