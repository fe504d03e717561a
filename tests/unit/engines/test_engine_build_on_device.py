"""What a build on the device itself is told, with a stand-in for TensorRT: DLA, timing caches, tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_sr.bundle import open_bundle
from edge_sr.engines.build.builder import build
from edge_sr.engines.build.network import ParsedGraph
from edge_sr.engines.build.request import BuildRequest, Workplace, engine_keys
from edge_sr.engines.build.timing_cache import TimingCache
from edge_sr.engines.interface.loader import Flavour, Library
from edge_sr.engines.store.identity import BuildSettings, ShapeRange
from edge_sr.engines.store.store import EngineStore
from edge_sr.engines.target import load_target
from edge_sr.machine.gpu import Gpu


class Tensor:
    dtype = SimpleNamespace(name="HALF")

    def __init__(self, name: str) -> None:
        self.name, self.shape = name, (1, -1, -1, 3)


class Release:
    """TensorRT's bindings as far as a build for DLA uses them: ``flags`` tells 10, with FP16, from 11."""

    def __init__(self, *flags: str, refuses: bytes = b"") -> None:
        self.told: dict[str, Any] = {"flags": [], "caches": []}
        told, image = self.told, Tensor("image")
        layers = [SimpleNamespace(name=name) for name in ("planes", "features")]
        network = SimpleNamespace(
            num_inputs=1, num_layers=2, get_input=lambda _: image, get_layer=lambda index: layers[index]
        )

        class Config(SimpleNamespace):
            def set_flag(self, flag: str) -> None:
                told["flags"].append(flag)

            def can_run_on_DLA(self, layer: Any) -> bool:
                told["asked"] = image.shape, self.default_device_type, tuple(told["flags"])
                return bool(layer.name == "features")

            def add_optimization_profile(self, profile: Any) -> int:
                told["profiles"] = told.get("profiles", 0) + 1
                return 0

            def create_timing_cache(self, kept: bytes) -> bytes:
                return kept

            def set_timing_cache(self, kept: bytes, _: bool) -> bool:
                told["caches"].append(kept)
                return not refuses or kept != refuses

            def get_timing_cache(self) -> Any:
                return SimpleNamespace(serialize=lambda: b"timed here")

            def set_memory_pool_limit(self, *_: Any) -> None: ...

            def clear_flag(self, _: Any) -> None: ...

        def create_network(flag: int) -> Any:
            told["typed"] = bool(flag)
            return network

        builder = SimpleNamespace(
            num_DLA_cores=2,
            create_network=create_network,
            create_builder_config=Config,
            create_optimization_profile=lambda: SimpleNamespace(set_shape=lambda *_: None),
            build_serialized_network=lambda *_: b"an engine",
        )
        self.module = SimpleNamespace(
            Builder=lambda _: builder,
            OnnxParser=lambda *_: SimpleNamespace(parse=lambda _: True),
            NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
            BuilderFlag=SimpleNamespace(
                TF32="TF32", GPU_FALLBACK="GPU_FALLBACK", **{name: name for name in flags}
            ),
            MemoryPoolType=SimpleNamespace(WORKSPACE=0),
            DeviceType=SimpleNamespace(DLA="DLA"),
            EngineCapability=SimpleNamespace(STANDARD=0),
            IProgressMonitor=object,
        )

    def library(self, version: str = "10.3.0") -> Library:
        return Library(Flavour.TENSORRT, version, self.module, None)


FRAME = {"image": ShapeRange((1, 48, 64, 3), (1, 48, 64, 3), (1, 48, 64, 3))}


@pytest.mark.parametrize("flags, typed", [(("FP16",), False), ((), True)], ids=["10.3", "11.4"])
def test_dla_is_asked_about_fixed_shapes_and_told_float16_where_it_wants_that(
    flags: tuple[str, ...], typed: bool
) -> None:
    release = Release(*flags)
    graph = ParsedGraph(release.library(), b"", {"image": (1, 48, 64, 3)})
    assert release.told["typed"] is typed
    assert graph.layers_off_dla() == ["planes"]
    assert release.told["asked"] == ((1, 48, 64, 3), "DLA", ("GPU_FALLBACK", *flags))
    assert graph.build([FRAME], BuildSettings(dla_core=0, gpu_fallback=True)).data == b"an engine"
    assert "profiles" not in release.told


def test_a_gpus_network_is_strongly_typed_and_has_profiles() -> None:
    release = Release("FP16")
    ParsedGraph(release.library(), b"").build([FRAME], BuildSettings())
    assert release.told["typed"] and release.told["profiles"] == 1 and release.told["flags"] == []


def test_a_timing_cache_that_tensorrt_refuses_is_dropped_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, gpu = Release(refuses=b"of another GPU"), Gpu("a GPU", "8.9", 8192, False, "13.0")
    cache = EngineStore(tmp_path / "engines")
    request = BuildRequest(open_bundle("diinn-nano"), load_target("l4"), "fp16", ((64, 48),))
    workplace = Workplace(Flavour.TENSORRT, "10.3.0", gpu)
    key = engine_keys(request, workplace)[0]
    TimingCache(cache.folder, key).save(b"of another GPU")
    monkeypatch.setattr("edge_sr.engines.interface.loader.load", lambda _: release.library())
    monkeypatch.setattr(ParsedGraph, "inputs", ())
    monkeypatch.setattr(ParsedGraph, "outputs", ())
    said: list[str] = []
    build(request, workplace, cache, said.append)
    assert release.told["caches"][:2] == [b"of another GPU", b""]
    assert sum("was refused by TensorRT and is replaced" in line for line in said) == 1
    assert TimingCache(cache.folder, key).load() == b"timed here"


@pytest.mark.parametrize("version, least", [("10.3.0", (128, 4096)), ("10.13.3", (1, 1)), ("11.4.0", (1, 1))])
def test_tensorrt_10_3_gets_tiles_of_one_size(version: str, least: tuple[int, int]) -> None:
    """Its dynamic shapes computed wrong pictures on Orin NX (NVIDIA/TensorRT #4330, #4419)."""
    target = replace(load_target("l4"), tile="4096x128")
    request = BuildRequest(open_bundle("diinn-nano"), target, "fp16", ((64, 48),))
    keys = engine_keys(
        request, Workplace(Flavour.TENSORRT, version, Gpu("NVIDIA L4", "8.9", 1, False, "13.0"))
    )
    (decoder,) = (key for key in keys if key.part == "decoder")
    spans = decoder.profiles[0]
    assert (spans["rows"].minimum[0], spans["cols"].minimum[0]) == least
    assert (spans["rows"].maximum[0], spans["cols"].maximum[0]) == (128, 4096)
