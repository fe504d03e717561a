"""A fleet's engines built on a cluster: each node builds those of its own GPU, into its own store."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sr.engines.build.builder import build
from edge_sr.engines.fleet import Elsewhere, load_fleet, requests, split
from edge_sr.engines.report import row
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.farm.nodes import inquiry
from edge_sr.farm.nodes.asking import ClusterNode, ask, nodes_alive
from edge_sr.farm.nodes.connection import Cluster
from edge_sr.farm.nodes.fleet import by_value, unlike


@dataclasses.dataclass(frozen=True)
class NodeBuild:
    """What a node built or had, as rows of the engines' table, and what it could not; ``refused``: why it failed."""

    engines: tuple[dict[str, Any], ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class FleetBuild:
    """All nodes' engines, each row with its ``node``; ``elsewhere``: what no node could build."""

    engines: list[dict[str, Any]]
    elsewhere: list[Elsewhere]


def build_on(cluster: Cluster, fleet: Path, say: Callable[[str], None], *, force: bool) -> FleetBuild:
    """Builds what ``fleet`` names, wherever it can be. Nodes that share a store build each engine once.

    Raises what the file raises, ``MissingError`` when no node could take part.
    """
    text = fleet.read_text()
    requests(load_fleet(fleet))
    nodes = _same_code(cluster.ray, say)
    answers, failures = ask(cluster.ray, nodes.values(), build_here, text, force, seconds=None)
    failures |= {name: answer.refused for name, answer in answers.items() if answer.refused}
    for name, reason in failures.items():
        say(f"failed on {nodes[name].host}: {reason}")
    done = {name: answer for name, answer in answers.items() if not answer.refused}
    if not done:
        raise MissingError(f"no node built anything: {'; '.join(failures.values()) or 'there is none'}")
    engines = [{**engine, "node": nodes[name].host} for name in done for engine in done[name].engines]
    return FleetBuild(engines, _nowhere(list(done.values())))


def build_here(text: str, force: bool) -> NodeBuild:
    """The task: what of the fleet file's content this node can build; it never raises an ``EdgeSRError``."""
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix="edge-sr-") as folder:
            path = Path(folder) / "fleet.toml"
            path.write_text(text)
            here, elsewhere = split(requests(load_fleet(path)))
        store = EngineStore()
        built = [
            one for request, workplace in here for one in build(request, workplace, store, _say, force=force)
        ]
        rows = tuple({**row(one.engine), "built": one.fresh} for one in built)
        return NodeBuild(rows, tuple(elsewhere))
    except EdgeSRError as error:
        return NodeBuild(refused=str(error))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _same_code(ray: Any, say: Callable[[str], None]) -> dict[str, ClusterNode]:
    nodes, driver = nodes_alive(ray), inquiry.identity()
    answers, failures = ask(ray, nodes.values(), by_value(ray))
    odd = {name: found.get("missing") or unlike(driver, found) for name, found in answers.items()}
    for name, reason in {**failures, **odd}.items():
        if reason:
            say(f"left out: {nodes[name].host}: {reason}")
    return {name: nodes[name] for name, reason in odd.items() if not reason}


def _nowhere(done: list[NodeBuild]) -> list[Elsewhere]:
    """What every node left to others."""
    commands = [{one.command for one in answer.elsewhere} for answer in done]
    everywhere = set.intersection(*commands)
    return [one for one in done[0].elsewhere if one.command in everywhere]
