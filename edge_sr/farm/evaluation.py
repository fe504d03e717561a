"""Quality measured on a cluster: each bundle, precision and scale is a task, the rows are those of one machine."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from edge_sr.bundle import open_bundle
from edge_sr.errors import EdgeSRError, MissingError, ResourceError, last_line
from edge_sr.evaluation.hr_set import HrSet
from edge_sr.evaluation.measure import BASELINES, EvaluationRequest, evaluate, unique_names
from edge_sr.evaluation.results import Evaluation, Row
from edge_sr.farm.nodes.asking import ClusterNode, ask, node_selector
from edge_sr.farm.nodes.connection import Cluster
from edge_sr.farm.nodes.fleet import FitNodes, NodeWork, name_for_nodes
from edge_sr.machine.description import describe
from edge_sr.upscale.run.networks import NetworkChoice

Named = TypeVar("Named")


def evaluate_on(
    cluster: Cluster, request: EvaluationRequest, notify: Callable[[str], None], *, allow_mixed: bool = False
) -> Evaluation:
    """As ``evaluate``, on nodes that see the references under the same path; times are those of whichever node it was.

    Raises what ``FitNodes`` and ``evaluate`` raise, ``MissingError`` when no node sees the references.
    """
    given_names = tuple(map(name_for_nodes, request.bundles))
    request = dataclasses.replace(request, bundles=given_names, references=absolute(request.references))
    names = unique_names([open_bundle(name) for name in request.bundles])
    tasks: list[tuple[str, Any]] = []
    hosts: set[str] = set()
    for given, name in zip(request.bundles, names, strict=True):
        for precision in request.precisions:
            choice = NetworkChoice(given, request.backend, precision, request.threads)
            fleet = FitNodes(cluster, NodeWork(choice), notify, allow_mixed=allow_mixed)
            nodes = seeing(cluster.ray, fleet.nodes, request.references, notify)
            hosts |= {fleet.nodes[node].host for node in nodes}
            parts = _parts(request, given, fleet)
            tasks += [(name, _submit(cluster.ray, fleet, nodes, part)) for part in parts]
    found = [_renamed(_result(cluster.ray, task), name) for name, task in tasks]
    return merged(request.scales, found, {**describe(), "nodes": ", ".join(sorted(hosts))})


def set_digest(references: HrSet) -> str:
    """Of the names and sizes of a set's files, empty where they are not all there."""
    try:
        files = references.pictures or (references.path,)
        facts = [f"{path.name} {path.stat().st_size}" for path in files]
    except OSError:
        return ""
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()


def absolute(references: HrSet) -> HrSet:
    """The same set under paths that other nodes know."""
    pictures = tuple(path.absolute() for path in references.pictures)
    return dataclasses.replace(references, path=references.path.absolute(), pictures=pictures)


def seeing(
    ray: Any, nodes: Mapping[str, ClusterNode], references: HrSet, notify: Callable[[str], None]
) -> list[str]:
    """The nodes that see the references as this machine does; ``MissingError`` when none does."""
    answers, _ = ask(ray, nodes.values(), set_digest, references)
    expected = set_digest(references)
    found = [name for name, answer in answers.items() if answer == expected]
    for name in nodes.keys() - set(found):
        notify(f"left out: {nodes[name].host}: it does not see {references.path}")
    if not found:
        raise MissingError(
            f"no node sees {references.path} as this machine does: put it into a shared folder"
        )
    return found


def _parts(request: EvaluationRequest, bundle: str, fleet: FitNodes) -> Iterator[EvaluationRequest]:
    for scale in request.scales:
        yield dataclasses.replace(
            request,
            bundles=(bundle,),
            scales=(scale,),
            precisions=(fleet.choice.precision,),
            backend=fleet.choice.backend,
            threads=fleet.choice.threads,
        )


def measure_part(part: EvaluationRequest) -> Evaluation:
    """The task."""
    return evaluate(part, lambda text: None)


def _submit(ray: Any, fleet: FitNodes, nodes: list[str], part: EvaluationRequest) -> Any:
    remote = ray.remote(measure_part)
    return remote.options(
        num_cpus=fleet.cpus, num_gpus=fleet.gpus, label_selector=node_selector(nodes)
    ).remote(part)


def _result(ray: Any, task: Any) -> Evaluation:
    try:
        found: Evaluation = ray.get(task)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, EdgeSRError):
            raise cause from None
        raise ResourceError(f"a part of the evaluation failed: {last_line(error)}") from error
    return found


def _renamed(found: Evaluation, name: str) -> Evaluation:
    """Alone a bundle goes by its name; among others that may be another's too."""
    own = next((row.bundle for row in found.results), name)
    if own == name:
        return found

    def renamed(entries: Iterable[Named]) -> tuple[Named, ...]:
        return tuple(_called(entry, own, name) for entry in entries)

    return dataclasses.replace(
        found,
        results=renamed(found.results),
        rivals=renamed(found.rivals),
        speed=renamed(found.speed),
        worst=renamed(found.worst),
        layers=renamed(found.layers),
    )


def _called(entry: Any, old: str, new: str) -> Any:
    if not entry.bundle.startswith(old):
        return entry
    return dataclasses.replace(entry, bundle=new + entry.bundle.removeprefix(old))


def merged(scales: Sequence[Fraction], found: list[Evaluation], machine: dict[str, Any]) -> Evaluation:
    """Parts over one set: the rows in the order of one machine's run; what several measured alike stands once."""
    rivals = _once(row for part in found for row in part.rivals)
    baselines = [row for row in rivals if row.bundle in BASELINES]
    order = {float(scale): index for index, scale in enumerate(scales)}
    baselines.sort(key=lambda row: (order.get(row.scale, 0), list(BASELINES).index(row.bundle)))
    return Evaluation(
        set=found[0].set,
        protocol=found[0].protocol,
        machine=machine,
        results=tuple(row for part in found for row in part.results),
        rivals=(*baselines, *(row for row in rivals if row.bundle not in BASELINES)),
        speed=tuple(row for part in found for row in part.speed),
        worst=tuple(row for part in found for row in part.worst),
        layers=tuple(dict.fromkeys(row for part in found for row in part.layers)),
    )


def _once(rows: Iterable[Row]) -> list[Row]:
    kept: dict[tuple[str, str, float], Row] = {}
    for row in rows:
        kept.setdefault((row.bundle, row.precision, row.scale), row)
    return list(kept.values())
