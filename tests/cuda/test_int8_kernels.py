"""Encoders with int8 layers on the emulated GPU: equal to integers where all is integer, and as exact as the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.cuda import reference
from support.cuda.emulator import EmulatedGpu
from support.cuda.forms import Network, Run, as_int8, laid_out, random_network, shipped, with_exact_head
from support.scenes import scene

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.cuda.encoder_run import Variant
from edge_sr.backends.cuda.network.form import DecoderForm
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.bundle import open_bundle
from edge_sr.grid import sampling_grid

DECODER = DecoderForm((32, 24, 16), 3, True)
BLOCKS = ("encoder.body.0.conv1", "encoder.body.0.conv2", "encoder.body.1.conv1", "encoder.body.1.conv2")
REST = ("encoder.tail", "content.0", "content.1")
VARIANTS = [Variant(), *(Variant(pairs=warps) for warps in (6, 8, 12))]


def picture(height: int = 21, width: int = 41) -> Any:
    return np.ascontiguousarray(scene(3, 96, 80)[:height, :width])


def black_and_white(height: int, width: int) -> Any:
    return (picture(height, width) // 128 * 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [16, 32])
def test_all_layers_in_int8_equal_integers_bit_for_bit(channels: int) -> None:
    """Each variant in another order of threads and blocks, on more SMs and fewer."""
    network = with_exact_head(as_int8(random_network(channels, 2, DECODER), (*BLOCKS, *REST)))
    image = black_and_white(25, 45)
    want = laid_out(reference.encode(network.encoder_tensors, 3, image, reference.half), DECODER)
    for seed, variant in enumerate(VARIANTS):
        maps = Run(network, EmulatedGpu(seed=seed), sms=1 + seed).encode(image, variant)
        assert np.array_equal(maps, want.astype(np.float16)), variant.name
    assert len(np.unique(want)) > 1000


MIXED = [
    BLOCKS[1:2],
    BLOCKS[0:1],
    (*BLOCKS[2:], "encoder.tail"),
    ("encoder.tail", "content.0", "content.1"),
    (BLOCKS[0], BLOCKS[3], "content.0", "content.1"),
    (BLOCKS[1], BLOCKS[2], "encoder.tail", "content.0"),
]


@pytest.mark.parametrize("channels", [16, 32])
@pytest.mark.parametrize("layers", MIXED, ids=lambda layers: "+".join(layers).replace("encoder.", ""))
def test_any_layers_may_be_int8(channels: int, layers: tuple[str, ...]) -> None:
    """Levels are where float16 sums decide them: a rounding the other way is a level, and what becomes of it."""
    network, image = as_int8(random_network(channels, 2, DECODER), layers), picture()
    expected = network
    if "content.1" not in layers and "content.0" in layers:
        # Maps are int8 all together or not at all.
        expected = without_int8(network, "content.0")
    want = laid_out(reference.encode(expected.encoder_tensors, 3, image, reference.half), DECODER)
    for variant in VARIANTS[:2]:
        maps = Run(network, EmulatedGpu()).encode(image, variant).astype(np.float32)
        off = np.abs(maps - want) / np.abs(want).max()
        assert off.max() < 0.03 and off.mean() < 2e-4, variant.name


def without_int8(network: Network, name: str) -> Network:
    tensors = dict(network.encoder_tensors)
    levels, scale = tensors.pop(f"{name}.weight.levels"), tensors.pop(f"{name}.weight.scale")
    tensors[f"{name}.weight"] = levels * scale.astype(np.float32)[:, None, None, None]
    del tensors[f"{name}.input.scale"]
    return Network(network.encoder, network.decoder, tensors, network.decoder_tensors)


@pytest.mark.parametrize("decoder", [DecoderForm((32, 24), 1, True), DecoderForm((24, 48, 32), 2, False)])
def test_other_modes(decoder: DecoderForm) -> None:
    content = tuple(f"content.{i}" for i in range(len(decoder.widths) if decoder.mode == 2 else 1))
    network = with_exact_head(
        as_int8(random_network(16, 1, decoder), (*BLOCKS[:2], "encoder.tail", *content))
    )
    image = black_and_white(9, 37)
    want = laid_out(reference.encode(network.encoder_tensors, decoder.mode, image, reference.half), decoder)
    maps = Run(network, EmulatedGpu()).encode(image, Variant(pairs=6)).astype(np.float32)
    assert np.abs(maps - want).max() < 0.004 * np.abs(want).max()


def psnr(a: Any, b: Any) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(np.float64) - b) ** 2))))


@pytest.mark.parametrize("name", ["diinn-edge", "diinn-edge-video", "diinn-nano"])
def test_shipped_networks_are_as_exact_as_the_cpus_int8(name: str) -> None:
    image, after = picture(29, 45), (121, 77)
    network, grid = shipped(name, int8=True), sampling_grid((45, 29), after)
    run, plain = Run(network, EmulatedGpu()), shipped(name)
    got = run.decode(run.encode(image), image, grid)

    def pixels(maps: Any) -> Any:
        exact = reference.decode(plain.decoder_tensors, 3, maps, image, grid, reference.full)
        return reference.levels(exact)

    float32 = pixels(reference.encode(plain.encoder_tensors, 3, image, reference.full))
    encoder = OnnxEncoder(RunnerConfig(open_bundle(name), "int8", scheme="int8"))
    cpu = pixels(encoder.encode(image[None])[0].transpose(1, 2, 0).astype(np.float32))
    print(
        f"{name}: {psnr(got, float32):.2f} dB from float32, the CPU's {psnr(cpu, float32):.2f}, {psnr(got, cpu):.2f}"
    )
    assert psnr(got, float32) > psnr(cpu, float32) - 0.5
    # Where they round apart, what both lose adds up.
    assert psnr(got, cpu) > psnr(cpu, float32) - 3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (33, 1)])
def test_small_pictures(height: int, width: int) -> None:
    network = with_exact_head(as_int8(random_network(32, 2, DECODER), (*BLOCKS, *REST)))
    image = black_and_white(height, width)
    want = laid_out(reference.encode(network.encoder_tensors, 3, image, reference.half), DECODER)
    for variant in VARIANTS[:2]:
        maps = Run(network, EmulatedGpu(seed=2)).encode(image, variant)
        assert np.array_equal(maps, want.astype(np.float16))


def test_shared_memory_is_what_the_table_says() -> None:
    gpu, image = EmulatedGpu(), picture(9, 34)
    for layers in ((*BLOCKS, *REST), *MIXED):
        for channels in (16, 32):
            run = Run(as_int8(random_network(channels, 2, DECODER), layers), gpu, sms=1)
            for variant in VARIANTS if layers[:4] == BLOCKS else VARIANTS[:2]:
                run.encode(image, variant)
    int8 = {kernel: reached for kernel, reached in gpu.shared_reached.items() if "int8" in kernel.form.name}
    assert len(int8) == 24
    for kernel, reached in int8.items():
        assert reached == kernel.shared_bytes, kernel.name
