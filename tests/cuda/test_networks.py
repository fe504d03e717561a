"""Whole networks on the emulated GPU: equal to their float16 reference, and close to float32."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from support.cuda import reference
from support.cuda.emulator import EmulatedGpu
from support.cuda.forms import Network, Run, laid_out, random_network, shipped
from support.scenes import scene

from edge_sr.backends.cuda.encoder_run import Variant
from edge_sr.backends.cuda.network.form import DecoderForm, joins
from edge_sr.grid import sampling_grid

HEIGHT, WIDTH = 29, 45


def picture(height: int = HEIGHT, width: int = WIDTH) -> Any:
    return np.ascontiguousarray(scene(3, 96, 80)[:height, :width])


def psnr(a: Any, b: Any) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(np.float64) - b) ** 2))))


def check_maps(network: Network, image: Any, maps: Any) -> None:
    want = reference.encode(network.encoder_tensors, network.decoder.mode, image, reference.half)
    off = np.abs(maps.astype(np.float32) - laid_out(want, network.decoder))
    # A sum that rounds the other way is one float16 step off, and what follows may multiply it.
    assert off.max() <= 0.004 * np.abs(want).max() and np.mean(off) < 2e-4 * np.abs(want).max()


def check_pixels(network: Network, run: Run, maps: Any, image: Any, after: tuple[int, int]) -> Any:
    grid = sampling_grid((image.shape[1], image.shape[0]), after)
    form, tensors = network.decoder, network.decoder_tensors
    widths = np.cumsum(form.layers)[:-1]
    parts = zip(np.split(maps.astype(np.float32), widths, axis=2), form.widths, strict=True)
    plain = np.concatenate([part[..., :width] for part, width in parts], axis=2)
    got = run.decode(maps, image, grid)
    want = reference.decode(tensors, form.mode, plain, image if form.base else None, grid, reference.half)
    if image.dtype == np.uint8:
        off = np.abs(got.astype(int) - reference.levels(want))
        assert off.max() <= 1 and np.mean(off > 0) <= 1 / 200
    else:
        assert np.abs(got - np.clip(want / 255, 0, 1)).max() <= 1 / 255
    return got


@pytest.mark.parametrize("name", ["diinn-edge", "diinn-nano"])
def test_network_equals_its_reference(name: str) -> None:
    network, image = shipped(name), picture()
    run = Run(network, EmulatedGpu())
    maps = run.encode(image)
    check_maps(network, image, maps)
    exact = reference.encode(network.encoder_tensors, 3, image, reference.full)
    for after in ((90, 58), (121, 77)):
        got = check_pixels(network, run, maps, image, after)
        grid = sampling_grid((WIDTH, HEIGHT), after)
        ideal = reference.decode(network.decoder_tensors, 3, exact, image, grid, reference.full)
        assert psnr(got, reference.levels(ideal)) >= 60


FORMS = [
    (16, DecoderForm((16,), 3, True)),
    (16, DecoderForm((48, 20, 64), 3, False)),
    (32, DecoderForm((64, 64, 16, 32), 3, True)),
    (16, DecoderForm((32, 24), 1, True)),
    (16, DecoderForm((24,), 1, False)),
    (16, DecoderForm((16,), 2, True)),
    (16, DecoderForm((24, 48, 32), 2, False)),
]


@pytest.mark.parametrize(("channels", "decoder"), FORMS, ids=lambda value: getattr(value, "name", value))
def test_any_form_equals_its_reference(channels: int, decoder: DecoderForm) -> None:
    network = random_network(channels, 1, decoder)
    image = picture(13, 37)
    run = Run(network, EmulatedGpu())
    maps = run.encode(image)
    check_maps(network, image, maps)
    check_pixels(network, run, maps, image, (100, 40))


@pytest.mark.parametrize("name", ["diinn-edge", "diinn-nano"])
def test_float_pictures(name: str) -> None:
    network = shipped(name)
    image = picture(11, 34).astype(np.float32) / np.float32(255)
    run = Run(network, EmulatedGpu())
    maps = run.encode(image, Variant())
    check_maps(network, image, maps)
    check_pixels(network, run, maps, image, (92, 30))


@pytest.mark.parametrize("widths", [(32, 28, 16), (16, 20, 60, 32)])
def test_maps_that_lie_side_by_side(widths: tuple[int, ...]) -> None:
    """As an engine writes them: what lies between a layer's own maps and its padding is the next layer's, or noise."""
    network = random_network(16, 1, DecoderForm(widths, 3, True))
    image, grid = picture(9, 37), sampling_grid((37, 9), (100, 30))
    maps = reference.half(reference.encode(network.encoder_tensors, 3, image, reference.half))
    joined = DecoderForm(widths, 3, True, joined=True)
    assert joins(widths) and joined.channels == -(-sum(widths) // 8) * 8
    noise = np.full((9, 37, joined.channels - sum(widths)), 7.0, np.float32)
    run = Run(dataclasses.replace(network, decoder=joined), EmulatedGpu())
    got = run.decode(np.concatenate([maps, noise], axis=2).astype(np.float16), image, grid)
    plain = Run(network, EmulatedGpu())
    assert np.array_equal(got, plain.decode(laid_out(maps, network.decoder).astype(np.float16), image, grid))
    assert not joins((32, 30, 16)) and not joins((32, 20))


VARIANTS = [Variant(), Variant(ahead=True), *(Variant(pairs=warps) for warps in (6, 8, 12))]


@pytest.mark.parametrize("channels", [16, 32])
def test_variants_give_the_same_bits(channels: int) -> None:
    """Each in another order of threads and blocks, on more SMs and fewer."""
    network = random_network(channels, 2, DecoderForm((32, 16), 3, True))
    image = picture(25, 45)
    maps = [
        Run(network, EmulatedGpu(seed=seed), sms=1 + seed).encode(image, variant)
        for seed, variant in enumerate(VARIANTS)
    ]
    for other in maps[1:]:
        assert np.array_equal(other.view(np.uint16), maps[0].view(np.uint16))


@pytest.mark.parametrize("channels", [16, 32])
@pytest.mark.parametrize("pairs", [0, 6])
def test_narrow_sums_stay_close(channels: int, pairs: int) -> None:
    network = random_network(channels, 2, DecoderForm((32, 16), 3, True))
    image = picture(21, 40)
    run = Run(network, EmulatedGpu())
    wide, narrow = (run.encode(image, Variant(pairs, narrow=n)).astype(np.float32) for n in (False, True))
    assert 0 < np.abs(narrow - wide).max() < 0.02 * np.abs(wide).max()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (33, 1), (3, 2)])
def test_small_pictures(height: int, width: int) -> None:
    network, image = shipped("diinn-nano"), picture(40, 40)[:height, :width].copy()
    run = Run(network, EmulatedGpu(seed=2))
    for variant in (Variant(), Variant(pairs=6)):
        maps = run.encode(image, variant)
        check_maps(network, image, maps)
        check_pixels(network, run, maps, image, (3 * width, 2 * height))


def test_a_gpus_own_rounding_stays_within_the_mark() -> None:
    """Sums and sines as far off as a GPU's may be, every one of them."""
    network, image = shipped("diinn-nano"), picture(24, 40)
    run = Run(network, EmulatedGpu(seed=3, noisy=True))
    maps = run.encode(image)
    check_pixels(network, run, maps, image, (100, 60))


def test_shared_memory_is_what_the_table_says() -> None:
    """Neither less, which would be an error of its own, nor more, which would cost blocks on an SM."""
    gpu, image = EmulatedGpu(), picture(9, 34)
    for channels, decoder in ((16, DecoderForm((32, 16), 3, True)), (32, DecoderForm((32, 28, 16), 3, True))):
        run = Run(random_network(channels, 1, decoder), gpu, sms=1)
        for variant in (*VARIANTS, Variant(narrow=True), Variant(pairs=6, narrow=True)):
            maps = run.encode(image, variant)
        run.decode(maps, image, sampling_grid((34, 9), (34, 9)))
    assert len(gpu.shared_reached) > 25
    for kernel, reached in gpu.shared_reached.items():
        assert reached == kernel.shared_bytes, kernel.name
