"""The project's kernels on a real GPU: every instruction, and the shipped networks against numpy.

    python -m pytest tests/gpu/test_kernels.py -s

Needs the ``cuda`` extra and NVIDIA's driver; no toolkit.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.cuda import reference
from support.cuda.forms import Run, laid_out, shipped
from support.cuda.probes import check
from support.cuda.real_gpu import RealGpu

from edge_sr.backends.cuda.driver.choose import unavailable_reason
from edge_sr.tensors import reference_card


@pytest.fixture(scope="module")
def gpu() -> RealGpu:
    if reason := unavailable_reason():
        pytest.skip(f"not run: {reason}")
    return RealGpu()


def test_every_instruction(gpu: RealGpu) -> None:
    found = list(check(gpu))
    for name, _, off in found:
        print(f"{name}: {off}")
    assert [name for name, right, _ in found if not right] == []


@pytest.mark.parametrize("name", ["diinn-nano", "diinn-edge"])
def test_maps_equal_their_reference(gpu: RealGpu, name: str) -> None:
    network, image = shipped(name), np.ascontiguousarray(reference_card(45, 29))
    maps = Run(network, gpu).encode(image).astype(np.float32)
    want = laid_out(reference.encode(network.encoder_tensors, 3, image, reference.half), network.decoder)
    off = np.abs(maps - want).max() / np.abs(want).max()
    print(f"{name}: maps {off:.2g} of the largest value from numpy")
    assert off <= 0.004
