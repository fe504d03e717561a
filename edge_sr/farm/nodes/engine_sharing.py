"""Engines that one node has, for others with the same GPU: each kind of GPU builds once."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.tensorrt.engines import runs_on
from edge_sr.bundle import open_bundle
from edge_sr.engines.interface.loader import Flavour, installed_version
from edge_sr.engines.report import row
from edge_sr.engines.store.identity import EngineManifest
from edge_sr.engines.store.store import EngineFile, EngineStore
from edge_sr.errors import EngineError
from edge_sr.farm.nodes.asking import ClusterNode, ask, on_node
from edge_sr.machine.gpu import Gpu, gpu_if_any
from edge_sr.upscale.run.networks import NetworkChoice


@dataclasses.dataclass(frozen=True)
class SharedEngine:
    """An engine on its way: the manifest without a proof, which holds for the device it was made on, and its bytes."""

    manifest: EngineManifest
    data: NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Taken:
    """Rows of the engines' table: those of the offered engines that a node has now; ``fresh``: how many it lacked."""

    rows: tuple[dict[str, Any], ...] = ()
    fresh: int = 0


def share(
    ray: Any, giver: ClusterNode, takers: Collection[ClusterNode], offer: Any, *given: Any
) -> dict[str, Taken]:
    """Has ``offer(*given)`` run on ``giver`` and what it gives taken by the others, by node; nothing passes here."""
    if not takers:
        return {}
    engines = ray.remote(offer).options(**on_node(giver)).remote(*given)
    answers, _ = ask(ray, takers, take, engines, seconds=None)
    return answers


def engines_named(names: Collection[str]) -> list[SharedEngine]:
    """This node's engines of these names."""
    return _shared(file for file in _files() if file.path.stem in names)


def engines_for(choice: NetworkChoice) -> list[SharedEngine]:
    """This node's engines for a network, of all sizes."""
    graphs = {graph.sha256 for graph in open_bundle(choice.model).description.graphs}
    wanted = choice.backend, choice.precision
    keys = ((file, file.manifest.key) for file in _files())
    return _shared(
        file for file, key in keys if key.graph_sha256 in graphs and (key.flavour, key.precision) == wanted
    )


def take(engines: Collection[SharedEngine]) -> Taken:
    """Puts what runs on this node into its store, unless it is there."""
    store, gpu, rows, fresh = EngineStore(), gpu_if_any(), [], 0
    for engine in engines:
        if not _fits(engine.manifest, gpu):
            continue
        file = store.find(engine.manifest.key)
        if file is None:
            with store.lock(engine.manifest.key.name):
                file = store.store(engine.manifest, engine.data.tobytes(), "built on another node\n")
            fresh += 1
        rows.append({**row(file), "built": False})
    return Taken(tuple(rows), fresh)


def gpu_kind() -> str:
    """Equal on nodes that can use each other's engines."""
    gpu = gpu_if_any()
    versions = [f"{flavour.value} {installed_version(flavour)}" for flavour in Flavour]
    device = "" if gpu is None else f"{gpu.identity} {gpu.compute_capability} {gpu.multiprocessors}"
    return ", ".join([device, *versions])


def _fits(manifest: EngineManifest, gpu: Gpu | None) -> bool:
    """On a machine without a GPU, what needs none to be built is kept for others that share its store."""
    key = manifest.key
    if key.version != installed_version(Flavour(key.flavour)):
        return False
    return key.flavour == Flavour.RTX.value if gpu is None else runs_on(key, gpu)


def _files() -> Iterable[EngineFile]:
    return (file for _, file, _ in EngineStore().check() if file is not None)


def _shared(files: Iterable[EngineFile]) -> list[SharedEngine]:
    found = []
    for file in files:
        try:
            data = np.frombuffer(file.read(), np.uint8)
        except EngineError:
            continue
        found.append(SharedEngine(dataclasses.replace(file.manifest, proof=None), data))
    return found
