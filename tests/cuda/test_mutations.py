"""Broken kernels, each of which the emulator or the comparison with numpy has to notice."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda import reference
from support.cuda.emulator import CUDA, EmulatedGpu, compile_library, emulator_folder
from support.cuda.forms import Network, Run, as_int8, laid_out, random_network, with_exact_head
from support.scenes import scene

from edge_sr.backends.cuda.encoder_run import Variant
from edge_sr.backends.cuda.network.form import DecoderForm, Int8Form
from edge_sr.files.config import load_toml
from edge_sr.grid import sampling_grid

ENCODER, PAIR, DECODER, CHAIN, BANKS = "encoder", "pair", "decoder", "chain", "banks"
# By the channels of their networks.
INT8 = {"int8": 32, "int8 of 16": 16}


@dataclass(frozen=True)
class Mutation:
    """``old`` in ``file`` becomes ``new``; the kernels of ``area`` have to show it."""

    name: str
    area: str
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutations:
    mutation: tuple[Mutation, ...]


MUTATIONS = load_toml(Path(__file__).with_name("mutations.toml"), Mutations).mutation

ENCODED = DecoderForm((32, 48), 3, True)
DECODED = DecoderForm((16, 32, 16), 3, True)
CHAINED = DecoderForm((16, 32, 16), 2, True)

# Only what an area needs, with the optimisations that cost the compiler least: dozens of them are compiled.
_LAYER = (
    "KERNEL(128, 2, layer16_{0}, Layer, p) "
    "{{ layer::run<16, {1}, 4, {2}, layer::End::{3}, products::How::wide>(p); }}\n"
)
_LAYERS = "".join(
    _LAYER.format(*part)
    for part in (
        ("relu_ahead", 2, 2, "relu"),
        ("residual_ahead", 2, 2, "residual"),
        ("relu", 2, 1, "relu"),
        ("residual", 2, 1, "residual"),
        ("maps", 4, 1, "maps"),
        ("maps_rest", 2, 1, "maps"),
    )
)
_HEAD = (
    '#include "head.h"\n#include "layer.h"\nKERNEL(128, 2, head16_bytes, Head, p) { head::run<u8, 16>(p); }\n'
)
_PAIR = (
    '#include "residual.h"\n'
    "KERNEL(192, 1, pair16_6, Residual, p) { residual::Pair<16, 6, products::How::wide>::run(p); }\n"
)
_ENCODER = _HEAD + _LAYERS
_INT8_LAYER = (
    "KERNEL(128, 3, int8_layer{0}_{1}, Layer, p) "
    "{{ layer::run_levels<{0}, {2}, 4, layer::Source::{3}, layer::End::{4}>(p); }}\n"
)


def int8_source(channels: int) -> str:
    """The kernels of a network whose layers are all int8."""
    whole = channels // 8
    parts = (
        ("relu_levels", whole, "halves", "relu_levels"),
        ("residual", whole, "levels", "residual"),
        ("tail_levels", whole, "halves", "residual_levels"),
        ("maps", 4, "levels", "maps"),
        ("maps_rest", 2, "levels", "maps"),
    )
    layers = "".join(_INT8_LAYER.format(channels, *part) for part in parts)
    run = f"residual::LevelPair<{channels}, 6>::run(p);"
    pair = f"KERNEL(192, 2, int8_pair{channels}_6, LevelResidual, p) {{ {run} }}\n"
    return f'#include "residual_int8.h"\n{layers}{pair}'


def sources(area: str) -> dict[Any, str]:
    """What is compiled of each form's kernels, by the form."""
    network = network_of(area)
    decoder = (CUDA / "kernels" / "decoder.cu").read_text()
    if channels := INT8.get(area):
        head = _HEAD.replace("head16", f"head{channels}").replace("u8, 16", f"u8, {channels}")
        return {network.encoder: head, Int8Form(channels): int8_source(channels)}
    encoder = {} if area == DECODER else {network.encoder: _ENCODER + (_PAIR if area == PAIR else "")}
    return {**encoder, **({network.decoder: decoder} if area in (DECODER, CHAIN) else {})}


def network_of(area: str) -> Network:
    if channels := INT8.get(area):
        layers = [f"encoder.body.0.conv{i}" for i in (1, 2)] + ["encoder.tail", "content.0", "content.1"]
        return with_exact_head(as_int8(random_network(channels, 1, ENCODED), layers))
    form = {DECODER: DECODED, CHAIN: CHAINED}.get(area, ENCODED)
    return random_network(16, 2 if area == PAIR else 1, form)


def broken(mutation: Mutation | None, area: str, folder: Path) -> Path:
    """The kernels with the mutation in them, compiled in ``folder``; the folder of their sources."""
    kernels = folder / "kernels"
    shutil.copytree(CUDA / "kernels", kernels)
    if mutation is not None:
        text = (kernels / mutation.file).read_text()
        assert text.count(mutation.old) >= 1, f"{mutation.name}: {mutation.file} has changed"
        (kernels / mutation.file).write_text(text.replace(mutation.old, mutation.new, 1))
    for form, source in sources(area).items():
        unit = kernels / f"{form.name}.cu"
        unit.write_text(source)
        defines = [f"-D{name}={value}" for name, value in form.defines.items()]
        options = ["-Og", "-w", f"-I{CUDA / 'emulator'}", f"-L{emulator_folder()}", *defines]
        compile_library(folder / f"{form.name}.so", [unit], "-x", "c++", *options)
    return kernels


def off_in_maps(network: Network, run: Run, image: Any, variants: list[Variant]) -> float:
    """The largest difference from numpy, in parts of the largest value."""
    want = laid_out(
        reference.encode(network.encoder_tensors, network.decoder.mode, image, reference.half),
        network.decoder,
    )
    want = want.astype(np.float16).astype(np.float32)
    maps = [run.encode(image, variant).astype(np.float32) for variant in variants]
    return max(float(np.abs(found - want).max() / np.abs(want).max()) for found in maps)


def off_in_pixels(network: Network, run: Run, image: Any) -> float:
    """The same for the decoder, in levels."""
    form, grid = network.decoder, sampling_grid((image.shape[1], image.shape[0]), (50, 23))
    maps = reference.encode(network.encoder_tensors, form.mode, image, reference.half)
    given = np.ascontiguousarray(laid_out(maps, form).astype(np.float16))
    result = run.decode(given, image, grid)
    want = reference.decode(network.decoder_tensors, form.mode, maps, image, grid, reference.half)
    return float(np.abs(result.astype(int) - reference.levels(want)).max())


def notice(area: str, kernels: Path) -> str:
    """What is noticed, in words; nothing for kernels that are right."""
    network, image = network_of(area), np.ascontiguousarray(scene(3, 96, 80)[:21, :41])
    for seed in (0, 1, 2):
        gpu = EmulatedGpu(seed=seed, kernels=kernels)
        run = Run(network, gpu, sms=1 + seed)
        try:
            if area == BANKS:
                return bank_conflicts(gpu, run, image)
            if area == DECODER:
                if (off := off_in_pixels(network, run, image)) > 1:
                    return f"{off:.0f} levels from numpy"
                continue
            variants = [Variant(pairs=6)] if area == PAIR else [Variant(), Variant(ahead=True)]
            least = 0.004
            if area in INT8:
                variants, least, image = [Variant(), Variant(pairs=6)], 1e-9, np.uint8(255) * (image // 128)
            if not (off := off_in_maps(network, run, image, variants)) < least:
                return f"{off:.3f} of the largest value from numpy"
        except AssertionError as error:
            return str(error).splitlines()[0]
    return ""


def bank_conflicts(gpu: EmulatedGpu, run: Run, image: Any) -> str:
    """Lines of the product loops whose accesses take more wavefronts than their bytes need."""
    gpu.count_traffic()
    run.encode(image, Variant())
    shared = [line.split() for line in gpu.traffic() if line.startswith("shared products.h")]
    assert shared
    found = [(where, taken, ideal) for _, where, _, _, _, taken, _, ideal in shared if taken != ideal]
    return "; ".join(f"{where}: {taken} wavefronts for {ideal}" for where, taken, ideal in found)


@pytest.mark.parametrize("area", [ENCODER, PAIR, DECODER, CHAIN, BANKS, *INT8])
def test_kernels_as_they_are(area: str, tmp_path: Path) -> None:
    """Else the mutations would prove nothing."""
    assert notice(area, broken(None, area, tmp_path)) == ""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_noticed(mutation: Mutation, tmp_path: Path, record_property: Any) -> None:
    found = notice(mutation.area, broken(mutation, mutation.area, tmp_path))
    record_property("noticed", found)
    print(f"{mutation.name}: {found}")
    assert found


def test_every_mutation_is_of_the_kernels_as_they_are() -> None:
    """Told in a moment, where compiling takes a minute."""
    changed = [m.name for m in MUTATIONS if m.old not in (CUDA / "kernels" / m.file).read_text()]
    assert changed == []
