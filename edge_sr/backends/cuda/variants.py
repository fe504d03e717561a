"""Which way of computing residual blocks is the fastest on this GPU: measured once, in about a second, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge_sr.backends.cuda import kernels
from edge_sr.backends.cuda.device import KernelDevice
from edge_sr.backends.cuda.encoder_run import FEATURES, Features, Variant
from edge_sr.backends.cuda.network.form import EncoderForm, Int8Form
from edge_sr.backends.cuda.programs import EncoderProgram
from edge_sr.backends.kept import keep, kept_file, kept_times, read_kept
from edge_sr.machine.gpu import Gpu

ROUNDS = 2
# Tiles of the picture that is measured, for every block that the GPU holds at once: enough that a last, half-filled
# round of blocks tells little.
TILES_EACH = 2
# GeForce 30 and 40 multiply twice as fast where sums are float16.
NARROW = ((8, 6), (8, 9))


def candidates(device: KernelDevice, form: EncoderForm, *, int8: bool = False) -> list[Variant]:
    """The variants whose kernels fit a block of this GPU; ``int8``: of an encoder with int8 layers."""
    return [variant for variant in _all(device) if all(map(device.fits, _kernels(form, variant, int8)))]


def _all(device: KernelDevice) -> Iterator[Variant]:
    yield Variant()
    yield Variant(ahead=True)
    for warps in kernels.PAIRS:
        yield Variant(pairs=warps)
    if device.driver.compute_capability in NARROW:
        yield Variant(narrow=True)
        yield Variant(pairs=kernels.PAIRS[0], narrow=True)


def _kernels(form: EncoderForm, variant: Variant, int8: bool) -> list[kernels.Kernel]:
    found = [
        kernels.layer(form, end, ahead=variant.ahead, narrow=variant.narrow) for end in ("relu", "residual")
    ]
    if variant.pairs:
        found.append(kernels.pair(form, variant.pairs, narrow=variant.narrow))
    if int8:
        found += [kernels.int8_layer(Int8Form(form.channels), end) for end in ("relu", "maps")]
    if int8 and variant.pairs:
        found.append(kernels.int8_pair(Int8Form(form.channels), variant.pairs))
    return found


def fastest(device: KernelDevice, gpu: Gpu, form: EncoderForm, encoder: EncoderProgram, maps: int) -> Variant:
    """From the file where this GPU, driver and image are known, else measured now; ``maps``: bytes of maps a pixel."""
    choices = candidates(device, form, int8=encoder.int8)
    path = _file(device, gpu, form, encoder)
    times = kept_times(read_kept(path))
    if not times or not set(times) <= {variant.name for variant in choices}:
        times = {variant.name: _measure(device, form, encoder, variant, maps) for variant in choices}
        keep(path, {"gpu": gpu.name, "encoder": form.name, "int8": encoder.int8, "milliseconds": times})
    best = min(times, key=lambda name: times[name])
    return next(variant for variant in choices if variant.name == best)


def _measure(
    device: KernelDevice, form: EncoderForm, encoder: EncoderProgram, variant: Variant, maps: int
) -> float:
    """Milliseconds of one encoder run on a picture of zeros, the best of some after one to warm up."""
    driver, compute = device.driver, device.gpu.compute
    rows, width = _picture(device, form)
    feature = rows * width * 2 * form.channels
    memory = device.gpu.pool.device(rows * width * 3 + FEATURES * feature + rows * width * maps + 4 * 256)
    start, end = driver.event(), driver.event()
    at = [-(-(memory.address + rows * width * 3 + number * feature) // 256) * 256 for number in range(4)]
    try:
        device.upload(np.zeros(rows * width * 3, np.uint8), memory.address)
        features = Features(at[0], at[1], at[2], at[3], rows, width)
        launches = encoder.launches(memory.address, "uint8", features, variant, device.resident)
        times = []
        for _ in range(1 + ROUNDS):
            start.record(compute)
            device.launch(launches)
            end.record(compute)
            end.synchronize()
            times.append(end.milliseconds_since(start))
        return round(min(times[1:]), 4)
    finally:
        compute.synchronize()
        device.gpu.pool.give_back_device(memory)
        for event in (start, end):
            event.free()


def _picture(device: KernelDevice, form: EncoderForm) -> tuple[int, int]:
    """Rows and columns that give every block of the layers some tiles."""
    kernel = kernels.layer(form, "relu")
    tiles = TILES_EACH * device.resident(kernel)
    across = max(1, round((tiles / 4) ** 0.5))
    return -(-tiles // across) * kernel.tile[0], across * kernel.tile[1]


def _file(device: KernelDevice, gpu: Gpu, form: EncoderForm, encoder: EncoderProgram) -> Path | None:
    images = sorted(hashlib.sha256(image.data).hexdigest() for image in device.images.values())
    identity = [gpu.identity, gpu.driver_cuda, device.driver.multiprocessors, form.name, encoder.layers]
    return kept_file([*identity, images], "kernels-")
