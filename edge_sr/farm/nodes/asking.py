"""Questions to nodes: the same function run on each of them, the answers by node."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable
from typing import Any

from edge_sr.errors import last_line

# Measuring all backends takes a node half a minute; one that says nothing for so long is not waited for.
ANSWER_SECONDS = 180.0
# Enough to be shown the node's GPU, little enough to be let in beside its work.
GPU_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class ClusterNode:
    """A node of the cluster: Ray's ``id`` for it, its host's name, and what it has for tasks; memory in bytes."""

    id: str
    host: str
    cpus: float
    gpus: float
    memory: float


def nodes_alive(ray: Any) -> dict[str, ClusterNode]:
    """Those that can be given work, by their ids; a node without a core is there for its driver alone."""
    found = [_node(facts) for facts in ray.nodes() if facts["Alive"]]
    return {node.id: node for node in found if node.cpus >= 1}


def ask(
    ray: Any,
    nodes: Collection[ClusterNode],
    question: Callable[..., Any],
    *given: Any,
    seconds: float | None = ANSWER_SECONDS,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers of those that answered within so many seconds, and why the others did not."""
    remote = ray.remote(question)
    asked = {remote.options(**on_node(node)).remote(*given): node for node in nodes}
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=seconds) if asked else ([], [])
    answers: dict[str, Any] = {}
    failures = {asked[ref].id: "it does not answer" for ref in late}
    for ref in ready:
        try:
            answers[asked[ref].id] = ray.get(ref)
        except Exception as error:
            failures[asked[ref].id] = last_line(error)
    return answers, failures


def on_node(node: ClusterNode) -> dict[str, Any]:
    """Ray's options for a small task on just that node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {
        "num_cpus": 0,
        "num_gpus": GPU_SHARE if node.gpus else 0,
        "max_retries": 1,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False),
    }


def node_selector(names: Iterable[str]) -> dict[str, str]:
    """The label selector of a task for any of the nodes with these Ray ids."""
    return {"ray.io/node-id": f"in({','.join(sorted(names))})"}


def _node(facts: dict[str, Any]) -> ClusterNode:
    has = facts["Resources"]
    return ClusterNode(
        facts["NodeID"],
        facts["NodeManagerHostname"],
        has.get("CPU", 0.0),
        has.get("GPU", 0.0),
        has.get("memory", 0.0),
    )
