"""Whether nodes compute alike: by what they say of themselves, and by the pictures that they made."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sr.errors import OptionError
from edge_sr.farm.nodes.trial import NodeTrial

# The project's measure of the same result computed in another way: one level, in fewer than 1 of 1,000 values.
MOST_LEVELS, MOST_SHARE = 1, 0.001


def refuse_mixture(trials: Mapping[str, NodeTrial]) -> None:
    """``OptionError`` that names the kinds and their hosts, when there is more than one."""
    kinds: dict[object, list[str]] = {}
    for host, trial in trials.items():
        kinds.setdefault(trial.kind, []).append(host)
    if len(kinds) < 2:
        return
    first, *others = ({host: trials[host] for host in hosts} for hosts in kinds.values())
    reference = next(iter(first.values()))
    told = [f"{', '.join(other)} ({differences(reference, next(iter(other.values())))})" for other in others]
    raise OptionError(
        f"the nodes do not compute alike: beside {', '.join(first)} there are {'; '.join(told)}: "
        "leave them out of the cluster, or add --allow-mixed"
    )


def odd_ones(reference: NodeTrial, trials: Mapping[str, NodeTrial], *, allow_mixed: bool) -> list[str]:
    """Those that may not join the reference: unlike it or, with ``allow_mixed``, too far from it."""
    if not allow_mixed:
        return [name for name, trial in trials.items() if trial.kind != reference.kind]
    return [name for name, trial in trials.items() if not within_a_level(reference, trial)]


def within_a_level(reference: NodeTrial, trial: NodeTrial) -> bool:
    """Whether two pictures are the same by the project's measure, made in the same precision."""
    if reference.precision != trial.precision or reference.picture is None or trial.picture is None:
        return False
    apart = np.abs(reference.picture.astype(np.int16) - trial.picture)
    return int(apart.max()) <= MOST_LEVELS and float((apart > 0).mean()) < MOST_SHARE


def differences(reference: NodeTrial, trial: NodeTrial) -> str:
    """In what two nodes differ, in a few words."""
    found = [
        f"{mine} against {theirs}"
        for mine, theirs in zip(trial.sort, reference.sort, strict=True)
        if mine != theirs
    ]
    for key in sorted({*reference.computing, *trial.computing}):
        mine, theirs = (one.computing.get(key, "absent") for one in (trial, reference))
        if mine != theirs:
            found.append(f"{key}: {mine} against {theirs}")
    return ", ".join(found) or "the same kernels give other pictures"
