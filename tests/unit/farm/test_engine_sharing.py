"""Engines that one node built, in the store of another."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from support.engine_standin import StoredEngines

from edge_sr.backends.base import RunnerConfig
from edge_sr.bundle import Bundle
from edge_sr.engines.store.identity import Proof
from edge_sr.engines.store.store import EngineStore
from edge_sr.farm.nodes import engine_sharing
from edge_sr.farm.nodes.engine_sharing import SharedEngine, engines_for, engines_named, take
from edge_sr.machine.gpu import Gpu
from edge_sr.upscale.run.networks import NetworkChoice

GPU = Gpu("a GPU", "8.9", 8192, False, "13.0")


def stand_at(place: Path, monkeypatch: pytest.MonkeyPatch, gpu: Gpu | None = GPU, version: str = "0") -> None:
    """From now on this process is a node with that store, GPU and TensorRT."""

    monkeypatch.setenv("EDGE_SR_CACHE", str(place))
    monkeypatch.setattr(engine_sharing, "gpu_if_any", lambda: gpu)
    monkeypatch.setattr(engine_sharing, "installed_version", lambda flavour: version)


@pytest.fixture
def offered(nano: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[SharedEngine]:
    """An encoder and a decoder of TensorRT for RTX, proved where they were built."""
    store = EngineStore(tmp_path / "one")
    engines = StoredEngines(RunnerConfig(nano, "fp32"), store, {"max_size": (64, 64)})
    engines.open_for((1, 64, 64, 3))
    for file in engines.used.values():
        store.keep_proof(file, Proof(60.0, 1, 5.0, "a GPU", "13.0", "tensorrt-rtx", "0", True))
    stand_at(tmp_path / "one", monkeypatch)
    return engines_for(NetworkChoice("diinn-nano", "tensorrt-rtx", "fp32", 1))


def test_another_node_has_them_then_and_proves_them_itself(
    offered: list[SharedEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {engine.manifest.key.part for engine in offered} == {"encoder", "decoder"}
    stand_at(tmp_path / "two", monkeypatch)
    taken = take(offered)
    assert (taken.fresh, len(taken.rows)) == (2, 2)
    assert all(str(tmp_path / "two") in row["path"] for row in taken.rows)
    for engine in offered:
        found = EngineStore().find(engine.manifest.key)
        assert found is not None
        assert (found.read(), found.manifest.proof) == (b"engine", None)
    again = take(engines_named([row["name"] for row in taken.rows]))
    assert (again.fresh, len(again.rows)) == (0, 2)


@pytest.mark.parametrize(
    ("gpu", "version", "count"),
    [
        (GPU, "1", 0),
        (dataclasses.replace(GPU, compute_capability="7.5"), "0", 0),
        (None, "0", 2),  # it may share its store with nodes that have one
    ],
)
def test_what_does_not_run_there_is_left(
    offered: list[SharedEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpu: Gpu | None,
    version: str,
    count: int,
) -> None:
    stand_at(tmp_path / "two", monkeypatch, gpu, version)
    assert take(offered).fresh == count


def test_other_networks_engines_stay(offered: list[SharedEngine]) -> None:
    assert offered
    assert engines_for(NetworkChoice("diinn-edge", "tensorrt-rtx", "fp32", 1)) == []
    assert engines_for(NetworkChoice("diinn-nano", "tensorrt", "fp32", 1)) == []
    assert engines_for(NetworkChoice("diinn-nano", "tensorrt-rtx", "fp16", 1)) == []
