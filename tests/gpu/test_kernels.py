"""The project's kernels on a real GPU: every instruction, every kernel and the shipped networks against numpy.

    python -m pytest tests/gpu/test_kernels.py -s

Needs the ``cuda`` extra and NVIDIA's driver; no toolkit. ``EDGE_SR_TEST_KERNELS`` is ``own``, the GPU's own images;
``turing``, the instructions of compute capability 7.5; or ``ptx``, which the driver compiles. With
``EDGE_SR_TEST_SMALL`` pictures are as small as the emulated GPU wants them.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from support.cuda import reference
from support.cuda.forms import Run, as_int8, laid_out, random_network, shipped, with_exact_head
from support.cuda.probes import check
from support.cuda.real_gpu import RealGpu

from edge_sr.backends.cuda.driver.choose import unavailable_reason
from edge_sr.backends.cuda.encoder_run import Variant
from edge_sr.backends.cuda.network.form import DecoderForm
from edge_sr.grid import sampling_grid
from edge_sr.tensors import reference_card

VARIANTS = [Variant(), Variant(ahead=True), *(Variant(pairs=warps) for warps in (6, 8, 12))]
NARROW = [Variant(narrow=True), Variant(pairs=6, narrow=True)]
INT8 = [f"encoder.body.{block}.conv{i}" for block in (0, 1) for i in (1, 2)]
INT8 += ["encoder.tail", "content.0", "content.1"]


@pytest.fixture(scope="module")
def gpu() -> RealGpu:
    if reason := unavailable_reason():
        pytest.skip(f"not run: {reason}")
    return RealGpu(os.environ.get("EDGE_SR_TEST_KERNELS", "own"))


SIZE, AFTER = ((34, 9), (50, 20)) if os.environ.get("EDGE_SR_TEST_SMALL") else ((145, 89), (391, 240))


def picture() -> Any:
    return np.ascontiguousarray(reference_card(*SIZE))


def test_every_instruction(gpu: RealGpu) -> None:
    found = list(check(gpu))
    for name, _, off in found:
        print(f"{name}: {off}")
    assert [name for name, right, _ in found if not right] == []


@pytest.mark.parametrize("name", ["diinn-nano", "diinn-edge"])
def test_networks_equal_their_reference(gpu: RealGpu, name: str) -> None:
    network, image, grid = shipped(name), picture(), sampling_grid(SIZE, AFTER)
    run = Run(network, gpu)
    want = reference.encode(network.encoder_tensors, 3, image, reference.half)
    exact = reference.encode(network.encoder_tensors, 3, image, reference.full)
    ideal = reference.levels(reference.decode(network.decoder_tensors, 3, exact, image, grid, reference.full))
    for variant in [each for each in (*VARIANTS, *NARROW) if run.fits(each)]:
        maps = run.encode(image, variant)
        off = np.abs(maps.astype(np.float32) - laid_out(want, network.decoder)).max() / np.abs(want).max()
        error = np.mean((run.decode(maps, image, grid).astype(np.float64) - ideal) ** 2)
        psnr = 10 * np.log10(255**2 / error)
        print(
            f"{name}, {variant.name}: maps {off:.2g} of the largest value from numpy, {psnr:.1f} dB from float32"
        )
        assert off <= (0.02 if variant.narrow else 0.004) and psnr >= (55 if variant.narrow else 60)


@pytest.mark.parametrize("channels", [16, 32])
def test_int8_equals_integers_bit_for_bit(gpu: RealGpu, channels: int) -> None:
    decoder = DecoderForm((32, 24, 16), 3, True)
    network = with_exact_head(as_int8(random_network(channels, 2, decoder), INT8))
    image = np.uint8(255) * (picture() // 128)
    want = laid_out(reference.encode(network.encoder_tensors, 3, image, reference.half), decoder)
    run = Run(network, gpu)
    for variant in [each for each in VARIANTS if run.fits(each)]:
        assert np.array_equal(run.encode(image, variant), want.astype(np.float16)), variant.name


@pytest.mark.parametrize("name", ["diinn-nano", "diinn-edge"])
def test_int8_networks(gpu: RealGpu, name: str) -> None:
    network, image, grid = shipped(name, int8=True), picture(), sampling_grid(SIZE, AFTER)
    run, plain = Run(network, gpu), shipped(name)
    exact = reference.encode(plain.encoder_tensors, 3, image, reference.full)
    ideal = reference.decode(plain.decoder_tensors, 3, exact, image, grid, reference.full)
    got = run.decode(run.encode(image), image, grid).astype(np.float64)
    psnr = 10 * np.log10(255**2 / np.mean((got - reference.levels(ideal)) ** 2))
    print(f"{name}: {psnr:.1f} dB from float32")
    assert psnr >= 44
