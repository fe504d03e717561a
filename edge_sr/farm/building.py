"""A fleet's engines built on a cluster: a node of each kind of GPU builds, the others like it take the engines over."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sr.engines.build.builder import build
from edge_sr.engines.fleet import Elsewhere, Fleet, requests, split
from edge_sr.engines.report import row
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.farm.nodes import inquiry
from edge_sr.farm.nodes.asking import ClusterNode, ask, nodes_alive
from edge_sr.farm.nodes.connection import Cluster
from edge_sr.farm.nodes.engine_sharing import engines_named, gpu_kind, share
from edge_sr.farm.nodes.fleet import by_value, name_for_nodes, unlike


@dataclasses.dataclass(frozen=True)
class NodeBuild:
    """What a node built or had, as rows of the engines' table, and what it could not; ``refused``: why it failed."""

    engines: tuple[dict[str, Any], ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class FleetBuild:
    """All nodes' engines, each row with its ``node``; ``elsewhere``: what no node could build; ``nodes``: those that
    took part."""

    engines: list[dict[str, Any]]
    elsewhere: list[Elsewhere]
    nodes: dict[str, ClusterNode]


def for_nodes(fleet: Fleet) -> Fleet:
    """The fleet with full paths of bundles and target profiles: nodes stand in folders of their own."""
    groups = [
        dataclasses.replace(
            group,
            bundles=tuple(map(name_for_nodes, group.bundles)),
            targets=tuple(
                str(Path(name).absolute()) if name.endswith(".toml") else name for name in group.targets
            ),
        )
        for group in fleet.group
    ]
    return Fleet(tuple(groups))


def build_on(cluster: Cluster, fleet: Fleet, say: Callable[[str], None], *, force: bool) -> FleetBuild:
    """Builds what ``fleet`` names, wherever it can be, once for each kind of GPU.

    Raises ``ConfigError`` for a name that is nobody's, ``MissingError`` when no node could take part.
    """
    requests(fleet)
    nodes = _same_code(cluster.ray, say)
    done, failures = _build_each_kind(cluster.ray, nodes, say, fleet, force)
    if not done:
        raise MissingError(f"no node built anything: {'; '.join(failures.values()) or 'there is none'}")
    engines = [{**engine, "node": nodes[name].host} for name in done for engine in done[name].engines]
    taking_part = {name: nodes[name] for name in done}
    return FleetBuild(engines, _nowhere(list(done.values())), taking_part)


def build_here(fleet: Fleet, force: bool) -> NodeBuild:
    """The task: what of the fleet this node can build; it never raises an ``EdgeSRError``."""
    try:
        here, elsewhere = split(requests(fleet))
        store = EngineStore()
        built = [
            one for request, workplace in here for one in build(request, workplace, store, _say, force=force)
        ]
        rows = tuple({**row(one.engine), "built": one.fresh} for one in built)
        return NodeBuild(rows, tuple(elsewhere))
    except EdgeSRError as error:
        return NodeBuild(refused=str(error))


def _build_each_kind(
    ray: Any, nodes: dict[str, ClusterNode], say: Callable[[str], None], fleet: Fleet, force: bool
) -> tuple[dict[str, NodeBuild], dict[str, str]]:
    """What each node has now, and why some have nothing: of each kind of GPU one builds, the others take it over."""
    kinds, failures = ask(ray, nodes.values(), gpu_kind)
    groups = [[name for name in kinds if kinds[name] == kind] for kind in sorted(set(kinds.values()))]
    done: dict[str, NodeBuild] = {}
    while builders := {group.pop(0): group for group in groups if group}:
        answers, failed = ask(ray, [nodes[name] for name in builders], build_here, fleet, force, seconds=None)
        failed |= {name: answer.refused for name, answer in answers.items() if answer.refused}
        failures |= failed
        for name in builders.keys() - failed.keys():
            done[name] = answers[name]
            done |= _taken_over(ray, nodes, name, answers[name], builders[name])
            builders[name].clear()
    for name, reason in failures.items():
        say(f"failed on {nodes[name].host}: {reason}")
    return done, failures


def _taken_over(
    ray: Any, nodes: dict[str, ClusterNode], builder: str, built: NodeBuild, others: list[str]
) -> dict[str, NodeBuild]:
    names = [engine["name"] for engine in built.engines]
    taken = share(ray, nodes[builder], [nodes[name] for name in others], engines_named, names)
    return {name: NodeBuild(taken[name].rows, built.elsewhere) for name in taken}


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
