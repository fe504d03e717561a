"""Which engine of the store a frame gets: one of exactly this graph, TensorRT, device and size, or a command."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
from support.tiny_bundle import write_network

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.tensorrt.engines import NetworkEngines, OpenEngines, PairEngines
from edge_sr.bundle import Bundle
from edge_sr.engines.build.request import BuildRequest, Workplace, engine_keys
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.identity import EngineKey, EngineManifest, Proof
from edge_sr.engines.store.prune import Limits, prune
from edge_sr.engines.store.store import SCHEMA, EngineFile, EngineStore
from edge_sr.engines.target import load_target
from edge_sr.errors import BundleError, EngineError, MissingError
from edge_sr.machine.gpu import Gpu

GPU = Gpu("NVIDIA GeForce RTX 4060", "8.9", 8192, False, "13.0")
FRAME = {"image": (1, 48, 64, 3)}


@pytest.fixture(autouse=True)
def _release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sr.engines.interface.loader.installed_version", lambda _: "1.0")
    monkeypatch.setattr(OpenEngines, "_open", lambda _, file: file)


@pytest.fixture
def engine_store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


def keys(bundle: Bundle, **sizes: Any) -> list[EngineKey]:
    precision = "fp16" if "fp16" in bundle.precisions else "fp32"
    request = BuildRequest(bundle, load_target("rtx-40"), precision, **sizes)
    return engine_keys(request, Workplace(Flavour.RTX, "1.0", None))


def store(engine_store: EngineStore, *all_keys: EngineKey) -> list[EngineFile]:
    checksum = hashlib.sha256(b"engine").hexdigest()
    moment = "2026-01-01T00:00:00+00:00"
    return [
        engine_store.store(EngineManifest(SCHEMA, k, checksum, 6, 0.1, (), (), moment), b"engine", "")
        for k in all_keys
    ]


def engines(bundle: Bundle, store: EngineStore, flavour: Flavour = Flavour.RTX) -> PairEngines:
    return PairEngines(RunnerConfig(bundle, "fp16"), flavour, GPU, store)


def test_a_fixed_size_is_taken_before_a_range(nano: Bundle, engine_store: EngineStore) -> None:
    ranged = store(engine_store, *keys(nano, max_size=(128, 96)))
    fixed = store(engine_store, *keys(nano, sizes=((64, 48),)))
    here = engines(nano, engine_store)
    here.open_for((1, 48, 64, 3))
    assert here.used == {"encoder": fixed[0], "decoder": fixed[1]}
    here.open_for((1, 50, 60, 3))
    assert here.used == {"encoder": ranged[0], "decoder": ranged[1]}


def test_an_engine_that_runs_was_used_now(nano: Bundle, engine_store: EngineStore) -> None:
    """Whenever it was built: what was not used for a time is pruned."""
    files = store(engine_store, *keys(nano, sizes=((64, 48),)))
    for file in files:
        os.utime(file.path, (0, 0))
    engines(nano, engine_store).open_for((1, 48, 64, 3))
    assert prune(engine_store, Limits(older_than_days=30, stale=False)) == []


def test_an_encoder_built_for_dla_is_taken_before_the_gpus(nano: Bundle, engine_store: EngineStore) -> None:
    key = dataclasses.replace(keys(nano, sizes=((64, 48),))[0], flavour="tensorrt", gpu=GPU.name)
    on_dla = dataclasses.replace(key, settings=dataclasses.replace(key.settings, dla_core=0))
    _, wanted = store(engine_store, key, on_dla)
    here = engines(nano, engine_store, Flavour.TENSORRT)
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
    nano: Bundle, engine_store: EngineStore, change: dict[str, Any]
) -> None:
    store(engine_store, dataclasses.replace(keys(nano, sizes=((64, 48),))[0], **change))
    with pytest.raises(
        MissingError, match="edge-sr build diinn-nano --target auto --precision fp16 --sizes 64x48"
    ):
        engines(nano, engine_store).find("encoder", FRAME)


def test_an_engine_of_tensorrt_belongs_to_the_gpu_it_was_built_on(
    nano: Bundle, engine_store: EngineStore
) -> None:
    key = dataclasses.replace(keys(nano, sizes=((64, 48),))[0], flavour="tensorrt", gpu=GPU.name)
    (own,) = store(engine_store, key)
    here = engines(nano, engine_store, Flavour.TENSORRT)
    here.find("encoder", FRAME)
    assert here.used["encoder"] == own
    here = engines(nano, engine_store, Flavour.TENSORRT)
    here.gpu = dataclasses.replace(GPU, name="NVIDIA GeForce RTX 4070")
    with pytest.raises(MissingError, match="RTX 4070"):
        here.find("encoder", FRAME)


def test_an_orins_engine_belongs_to_the_power_mode_it_was_built_in(
    nano: Bundle, engine_store: EngineStore
) -> None:
    """A mode switches multiprocessors off, and kernels are tuned for those that are on."""
    orin = Gpu("Orin", "8.7", 7620, True, "12.6", 8, "Orin")
    key = dataclasses.replace(
        keys(nano, sizes=((64, 48),))[0],
        **{
            "flavour": "tensorrt",
            "gpu": orin.identity,
            "multiprocessors": 8,
            "compute_capabilities": ("8.7",),
        },
    )
    store(engine_store, key)
    here = engines(nano, engine_store, Flavour.TENSORRT)
    here.gpu = dataclasses.replace(orin, name="NVIDIA Jetson Orin Nano Developer Kit Orin", memory_mib=7601)
    here.find("encoder", FRAME)
    here = engines(nano, engine_store, Flavour.TENSORRT)
    here.gpu = dataclasses.replace(orin, multiprocessors=4)
    with pytest.raises(
        MissingError, match="no engine for 64x48 was built for Orin with 4 multiprocessors on"
    ):
        here.find("encoder", FRAME)


def test_a_size_that_nobody_built_names_the_command(nano: Bundle, engine_store: EngineStore) -> None:
    store(engine_store, *keys(nano, sizes=((64, 48),)))
    with pytest.raises(MissingError, match="--sizes 854x480"):
        engines(nano, engine_store).find("encoder", {"image": (1, 480, 854, 3)})


def test_the_store_is_looked_through_once_and_again_for_what_is_not_there(
    nano: Bundle, engine_store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live picture asks at every frame; what is built meanwhile, on another terminal, is found all the same."""
    store(engine_store, *keys(nano, sizes=((64, 48),)))
    here, opened = engines(nano, engine_store), list[Path]()
    open_one = EngineStore.open
    monkeypatch.setattr(EngineStore, "open", lambda self, path: opened.append(path) or open_one(self, path))
    for _ in range(5):
        here.find("encoder", FRAME)
    assert len(opened) == 2, "an encoder and a decoder"
    other = {"image": (1, 96, 128, 3)}
    with pytest.raises(MissingError):
        here.find("encoder", other)
    store(engine_store, *keys(nano, sizes=((128, 96),)))
    here.find("encoder", other)
    assert here.used["encoder"].manifest.key.profiles[0]["image"].maximum == other["image"]


def test_what_is_learnt_of_an_engine_is_not_forgotten_when_sizes_take_turns(
    nano: Bundle, engine_store: EngineStore
) -> None:
    store(engine_store, *keys(nano, sizes=((64, 48),)), *keys(nano, sizes=((128, 96),)))
    here = engines(nano, engine_store)
    here.find("encoder", FRAME)
    proof = Proof(60.0, 1, 1.0, "a GPU", "13.0", "tensorrt-rtx", "1.0", True, ("64x48",))
    here.remember("encoder", engine_store.keep_proof(here.used["encoder"], proof))
    here.find("encoder", {"image": (1, 96, 128, 3)})
    assert here.used["encoder"].manifest.proof is None
    here.find("encoder", FRAME)
    assert here.used["encoder"].manifest.proof == proof


def test_the_command_names_the_folder_of_a_bundle_that_is_not_shipped(
    nano: Bundle, engine_store: EngineStore, tmp_path: Path
) -> None:
    moved = dataclasses.replace(nano, path=tmp_path / "my film")
    with pytest.raises(MissingError, match=r"edge-sr build '.*/my film' --target auto"):
        engines(moved, engine_store).find("encoder", FRAME)


def test_a_manifest_that_was_changed_is_passed_over(nano: Bundle, engine_store: EngineStore) -> None:
    (engine, _) = store(engine_store, *keys(nano, sizes=((64, 48),)))
    manifest = engine.path.with_suffix(".json")
    manifest.write_text(manifest.read_text().replace("fp16", "fp32"))
    with pytest.raises(MissingError):
        engines(nano, engine_store).find("encoder", FRAME)


def test_an_engine_that_was_changed_is_an_error_before_tensorrt_reads_it(
    nano: Bundle, engine_store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("edge_sr.engines.interface.loader.installed_version", lambda _: "1.0")
    monkeypatch.setattr("edge_sr.engines.interface.loader.load", lambda _: None)
    (engine, _) = store(engine_store, *keys(nano, sizes=((64, 48),)))
    engine.path.write_bytes(b"enginE")
    with pytest.raises(EngineError, match="not what was built"):
        engines(nano, engine_store).find("encoder", FRAME)


def test_a_precision_that_the_bundle_lacks(nano: Bundle, engine_store: EngineStore) -> None:
    unknown: Any = "int4"
    with pytest.raises(BundleError, match="in int4"):
        PairEngines(RunnerConfig(nano, unknown), Flavour.RTX, GPU, engine_store).find("encoder", FRAME)


@pytest.fixture
def network(tmp_path: Path) -> Bundle:
    return write_network(tmp_path, "fixed", 2)


def test_a_network_goes_through_the_engine_that_takes_most_of_a_picture(
    network: Bundle, engine_store: EngineStore
) -> None:
    (ranged,) = store(engine_store, *keys(network, max_size=(128, 96)))
    (fixed,) = store(engine_store, *keys(network, sizes=((64, 48),)))
    (large,) = store(engine_store, *keys(network, sizes=((256, 192),)))
    here = NetworkEngines(RunnerConfig(network, "fp32"), Flavour.RTX, GPU, engine_store)
    for size, wanted, window in [
        ((64, 48), fixed, (64, 48)),
        ((70, 48), ranged, (70, 48)),
        ((200, 90), ranged, (128, 90)),
        ((300, 300), large, (256, 192)),
    ]:
        assert here.open_for((1, size[1], size[0], 3)) == (1, window[1], window[0], 3)
        assert here.used == {"network": wanted}


def test_a_network_that_nobody_built_names_the_command(network: Bundle, engine_store: EngineStore) -> None:
    store(engine_store, *keys(network, sizes=((256, 192),)))
    here = NetworkEngines(RunnerConfig(network, "fp32"), Flavour.RTX, GPU, engine_store)
    command = f"edge-sr build {network.path} --target auto --precision fp32 --sizes 200x100"
    with pytest.raises(MissingError, match=re.escape(command)):
        here.open_for((1, 100, 200, 3))
    with pytest.raises(MissingError, match=re.escape(command + " --depth 10")):
        dataclasses.replace(here, config=RunnerConfig(network, "fp32", "float")).open_for((1, 100, 200, 3))
