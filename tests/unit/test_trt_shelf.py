"""Which engine of the cache a frame gets: one of exactly this graph, TensorRT, device and size, or a command."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from support.tiny_bundle import write_network

from edge_sr.backends.tensorrt.open import EngineShelf, NetworkShelf
from edge_sr.bundle import Bundle
from edge_sr.engines.build.request import BuildRequest, Workplace, engine_keys
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.cache import SCHEMA, Engine, EngineCache
from edge_sr.engines.store.identity import EngineKey, EngineManifest
from edge_sr.engines.target import load_target
from edge_sr.errors import BundleError, EngineError, MissingError
from edge_sr.machine.gpu import Gpu

GPU = Gpu("NVIDIA GeForce RTX 4060", "8.9", 8192, False, "13.0")
FRAME = {"image": (1, 48, 64, 3)}


@pytest.fixture(autouse=True)
def _release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sr.engines.interface.loader.installed_version", lambda _: "1.0")
    monkeypatch.setattr(EngineShelf, "_open", lambda _, file: file)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def keys(bundle: Bundle, **sizes: Any) -> list[EngineKey]:
    precision = "fp16" if "fp16" in bundle.precisions else "fp32"
    request = BuildRequest(bundle, load_target("rtx-40"), precision, **sizes)
    return engine_keys(request, Workplace(Flavour.RTX, "1.0", None))


def store(cache: EngineCache, *all_keys: EngineKey) -> list[Engine]:
    checksum = hashlib.sha256(b"engine").hexdigest()
    moment = "2026-01-01T00:00:00+00:00"
    return [
        cache.store(EngineManifest(SCHEMA, k, checksum, 6, 0.1, (), (), moment), b"engine", "")
        for k in all_keys
    ]


def shelf(bundle: Bundle, cache: EngineCache, flavour: Flavour = Flavour.RTX) -> EngineShelf:
    return EngineShelf(bundle, "fp16", "uint8", flavour, GPU, cache)


def test_a_fixed_size_is_taken_before_a_range(nano: Bundle, cache: EngineCache) -> None:
    ranged = store(cache, *keys(nano, max_size=(128, 96)))
    fixed = store(cache, *keys(nano, sizes=((64, 48),)))
    here = shelf(nano, cache)
    here.open_for((1, 48, 64, 3))
    assert here.used == {"encoder": fixed[0], "decoder": fixed[1]}
    here.open_for((1, 50, 60, 3))
    assert here.used == {"encoder": ranged[0], "decoder": ranged[1]}


def test_an_encoder_built_for_dla_is_taken_before_the_gpus(nano: Bundle, cache: EngineCache) -> None:
    key = dataclasses.replace(keys(nano, sizes=((64, 48),))[0], flavour="tensorrt", gpu=GPU.name)
    on_dla = dataclasses.replace(key, settings=dataclasses.replace(key.settings, dla_core=0))
    _, wanted = store(cache, key, on_dla)
    here = shelf(nano, cache, Flavour.TENSORRT)
    here.find("encoder", FRAME)
    assert here.used["encoder"] == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"graph_sha256": "0" * 64},
        {"version": "0.9"},
        {"flavour": "tensorrt"},
        {"compute_capabilities": ("8.6",)},
        {"io": "float"},
        {"part": "decoder"},
    ],
)
def test_an_engine_that_differs_in_anything_is_not_taken(
    nano: Bundle, cache: EngineCache, change: dict[str, Any]
) -> None:
    store(cache, dataclasses.replace(keys(nano, sizes=((64, 48),))[0], **change))
    with pytest.raises(
        MissingError, match="edge-sr build diinn-nano --target auto --precision fp16 --sizes 64x48"
    ):
        shelf(nano, cache).find("encoder", FRAME)


def test_an_engine_of_tensorrt_belongs_to_the_gpu_it_was_built_on(nano: Bundle, cache: EngineCache) -> None:
    key = dataclasses.replace(keys(nano, sizes=((64, 48),))[0], flavour="tensorrt", gpu=GPU.name)
    (own,) = store(cache, key)
    here = shelf(nano, cache, Flavour.TENSORRT)
    here.find("encoder", FRAME)
    assert here.used["encoder"] == own
    here.gpu = dataclasses.replace(GPU, name="NVIDIA GeForce RTX 4070")
    with pytest.raises(MissingError, match="RTX 4070"):
        here.find("encoder", FRAME)


def test_a_size_that_nobody_built_names_the_command(nano: Bundle, cache: EngineCache) -> None:
    store(cache, *keys(nano, sizes=((64, 48),)))
    with pytest.raises(MissingError, match="--sizes 854x480"):
        shelf(nano, cache).find("encoder", {"image": (1, 480, 854, 3)})


def test_the_command_names_the_folder_of_a_bundle_that_is_not_shipped(
    nano: Bundle, cache: EngineCache, tmp_path: Path
) -> None:
    moved = dataclasses.replace(nano, path=tmp_path / "my film")
    with pytest.raises(MissingError, match=r"edge-sr build '.*/my film' --target auto"):
        shelf(moved, cache).find("encoder", FRAME)


def test_a_manifest_that_was_changed_is_passed_over(nano: Bundle, cache: EngineCache) -> None:
    (engine, _) = store(cache, *keys(nano, sizes=((64, 48),)))
    manifest = engine.path.with_suffix(".json")
    manifest.write_text(manifest.read_text().replace("fp16", "fp32"))
    with pytest.raises(MissingError):
        shelf(nano, cache).find("encoder", FRAME)


def test_an_engine_that_was_changed_is_an_error_before_tensorrt_reads_it(
    nano: Bundle, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("edge_sr.engines.interface.loader.installed_version", lambda _: "1.0")
    monkeypatch.setattr("edge_sr.engines.interface.loader.load", lambda _: None)
    (engine, _) = store(cache, *keys(nano, sizes=((64, 48),)))
    engine.path.write_bytes(b"enginE")
    with pytest.raises(EngineError, match="not what was built"):
        shelf(nano, cache).find("encoder", FRAME)


def test_a_precision_that_the_bundle_lacks(nano: Bundle, cache: EngineCache) -> None:
    here = dataclasses.replace(shelf(nano, cache), precision="int4")
    with pytest.raises(BundleError, match="in int4"):
        here.find("encoder", FRAME)


@pytest.fixture
def network(tmp_path: Path) -> Bundle:
    return write_network(tmp_path, "fixed", 2)


def test_a_network_goes_through_the_engine_that_takes_most_of_a_picture(
    network: Bundle, cache: EngineCache
) -> None:
    (ranged,) = store(cache, *keys(network, max_size=(128, 96)))
    (fixed,) = store(cache, *keys(network, sizes=((64, 48),)))
    (large,) = store(cache, *keys(network, sizes=((256, 192),)))
    here = NetworkShelf(network, "fp32", "uint8", Flavour.RTX, GPU, cache)
    for size, wanted, window in [
        ((64, 48), fixed, (64, 48)),
        ((70, 48), ranged, (70, 48)),
        ((200, 90), ranged, (128, 90)),
        ((300, 300), large, (256, 192)),
    ]:
        assert here.open_for((1, size[1], size[0], 3)) == (1, window[1], window[0], 3)
        assert here.used == {"network": wanted}


def test_a_network_that_nobody_built_names_the_command(network: Bundle, cache: EngineCache) -> None:
    store(cache, *keys(network, sizes=((256, 192),)))
    here = NetworkShelf(network, "fp32", "uint8", Flavour.RTX, GPU, cache)
    command = f"edge-sr build {network.path} --target auto --precision fp32 --sizes 200x100"
    with pytest.raises(MissingError, match=re.escape(command)):
        here.open_for((1, 100, 200, 3))
    with pytest.raises(MissingError, match=re.escape(command + " --depth 10")):
        dataclasses.replace(here, io="float").open_for((1, 100, 200, 3))
