"""What a fleet's engines are worth: quality and time of each node's, for one page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from edge_sr.engines.fleet import Fleet, requests, split
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.evaluation.hr_set import HrSet
from edge_sr.evaluation.measure import EvaluationRequest, evaluate
from edge_sr.evaluation.results import Evaluation, number
from edge_sr.farm.evaluation import absolute, merged, seeing
from edge_sr.farm.nodes.asking import ClusterNode, ask
from edge_sr.machine.description import describe
from edge_sr.machine.gpu import gpu_if_any


@dataclasses.dataclass(frozen=True)
class NodeQuality:
    """What a node's engines came to, None where none could be measured; ``unmeasured`` says which, and why."""

    evaluation: Evaluation | None
    unmeasured: tuple[str, ...]


def measure_on(
    ray: Any,
    nodes: Mapping[str, ClusterNode],
    fleet: Fleet,
    references: HrSet,
    scales: tuple[Fraction, ...],
    say: Callable[[str], None],
) -> list[Evaluation]:
    """One evaluation a node, of its engines for the fleet, on its GPU.

    An engine takes frames of the sizes it was built for: what the references make no such frame of is said and left
    out. Raises ``MissingError`` when no node sees the references, or none measured anything.
    """
    references = absolute(references)
    able = {name: nodes[name] for name in seeing(ray, nodes, references, say)}
    answers, failures = ask(ray, able.values(), measure_here, fleet, references, scales, seconds=None)
    found = []
    for name, host in sorted((name, node.host) for name, node in able.items()):
        quality = answers.get(name) or NodeQuality(None, (failures[name],))
        for reason in quality.unmeasured:
            say(f"not measured on {host}: {reason}")
        if quality.evaluation is not None:
            machine = {**quality.evaluation.machine, "node": host}
            found.append(dataclasses.replace(quality.evaluation, machine=machine))
    if not found:
        raise MissingError("no node could measure its engines: see above why")
    return found


def measure_here(fleet: Fleet, references: HrSet, scales: tuple[Fraction, ...]) -> NodeQuality:
    """The task: this node's engines; it never raises an ``EdgeSRError``."""
    found, unmeasured = [], []
    for part in _parts(fleet, references, scales):
        try:
            found.append(evaluate(part, lambda _: None))
        except EdgeSRError as error:
            what = f"{part.bundles[0]} {part.precisions[0]} x{number(part.scales[0]):g} on {part.backend}"
            unmeasured.append(f"{what}: {error}")
    gpu = gpu_if_any()
    named = {} if gpu is None else {"gpu": gpu.name}
    whole = merged(scales, found, {**describe(), **named}) if found else None
    return NodeQuality(whole, tuple(unmeasured))


def _parts(fleet: Fleet, references: HrSet, scales: tuple[Fraction, ...]) -> Iterator[EvaluationRequest]:
    """Each bundle, precision and TensorRT that this node builds, at each scale."""
    here, _ = split(requests(fleet))
    asked = [(one.bundle.given_as, one.precision, place.flavour.value) for one, place in here]
    for bundle, precision, backend in dict.fromkeys(asked):
        for scale in scales:
            yield EvaluationRequest((bundle,), references, (scale,), (precision,), backend, with_crops=False)
