"""The nodes that may share a run: all that have what the driver has, and that compute alike."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection
from typing import Any

from edge_sr.backends.autotune import BY_NAME_ALONE, choose_offered
from edge_sr.bundle import Bundle, open_bundle, shipped_folder
from edge_sr.errors import MissingError, OptionError
from edge_sr.farm.nodes import inquiry
from edge_sr.farm.nodes.alike import differences, odd_ones, refuse_mixture
from edge_sr.farm.nodes.asking import ClusterNode, ask, nodes_alive
from edge_sr.farm.nodes.connection import Cluster
from edge_sr.farm.nodes.engine_sharing import engines_for, share
from edge_sr.farm.nodes.trial import (
    NodeTrial,
    Offer,
    TrialCard,
    codec_digest,
    graphs_of,
    make_offer,
    make_trial,
)
from edge_sr.kinds import GPU_BACKENDS, Precision, Scheme
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.video.encode.segment_encoder import EncodeSettings

# More cores than this do not make one piece much faster.
MOST_THREADS = 8


@dataclasses.dataclass(frozen=True)
class NodeWork:
    """What the nodes are to do: by a network, with an encoder for films, on an input; ``memory`` in bytes a task.

    ``card``: a picture like the input's, for engines; without one they are not tried with any.
    """

    network: NetworkChoice
    recipe: EncodeSettings | None = None
    input: str = ""
    identity: dict[str, Any] = dataclasses.field(default_factory=dict)
    travels: bool = False
    memory: int = 0
    card: TrialCard | None = None


@dataclasses.dataclass(frozen=True)
class SettledNetwork:
    """The network that all nodes compute with, as reports tell of it."""

    bundle: Bundle
    backend: str
    encoder_backend: str
    precision: Precision
    scheme: Scheme | None
    tta: bool
    device_bytes: int | None = None

    @property
    def model(self) -> str:
        return self.bundle.name


def name_for_nodes(model: str) -> str:
    """A shipped model's name as it is, a bundle's folder in full: nodes stand in folders of their own."""
    bundle = open_bundle(model)
    return model if bundle.path.parent == shipped_folder() else str(bundle.path.absolute())


class FitNodes:
    """The nodes of a cluster that were found fit for ``work``; ``take_in_new`` looks at those that joined since.

    ``choice`` is the network as it was settled. Raises ``MissingError`` when no node is fit, ``OptionError`` when
    those that are do not compute alike and ``allow_mixed`` is not given.
    """

    def __init__(
        self, cluster: Cluster, work: NodeWork, say: Callable[[str], None], *, allow_mixed: bool
    ) -> None:
        self._ray, self._work, self._say, self._mixed = cluster.ray, work, say, allow_mixed
        self._bundle = open_bundle(work.network.model)
        self._driver = inquiry.identity()
        self._codec = "" if work.recipe is None else codec_digest(work.recipe)
        self._left_out: dict[str, str] = {}
        self._blind: set[str] = set()
        # By kind of GPU, a node that has engines.
        self._givers: dict[str, ClusterNode] = {}
        self.notes: list[str] = []
        self.nodes: dict[str, ClusterNode] = {}
        self._turn = threading.Lock()
        self.cpus, threads = _share(cluster, work.network, nodes_alive(self._ray).values())
        self.choice = dataclasses.replace(work.network, threads=threads)
        self._reference: NodeTrial | None = None
        self.take_in_new()
        if self._reference is None:
            raise MissingError(self._none_fit())

    @property
    def network(self) -> SettledNetwork:
        trial = self._reference
        assert trial is not None
        return SettledNetwork(
            self._bundle, trial.backend, trial.encoder_backend, trial.precision, trial.scheme, self.choice.tta
        )

    @property
    def gpus(self) -> int:
        """GPUs of one task."""
        return int(self.choice.backend in GPU_BACKENDS)

    @property
    def slots(self) -> int:
        """Tasks that can run at once."""
        return sum(self.slots_of(node) for node in self.nodes.values())

    @property
    def is_blind(self) -> bool:
        """Whether some node does not see the input under its name."""
        return not self._blind.isdisjoint(self.nodes)

    def slots_of(self, node: ClusterNode) -> int:
        limits = [node.cpus // self.cpus]
        if self._work.memory:
            limits.append(node.memory // self._work.memory)
        if self.gpus:
            limits.append(node.gpus)
        return int(min(limits))

    def forget_lost(self) -> None:
        """Takes note of nodes that left."""
        alive = nodes_alive(self._ray)
        with self._turn:
            self.nodes = {name: node for name, node in self.nodes.items() if name in alive}

    def take_in_new(self) -> None:
        """Asks nodes that joined, and takes note of those that are fit; other threads may use the rest meanwhile."""
        new = {
            name: node
            for name, node in nodes_alive(self._ray).items()
            if name not in self.nodes and name not in self._left_out
        }
        if new:
            self._admit(self._tried(self._offering(self._same_code(new))), new)

    def _same_code(self, nodes: dict[str, ClusterNode]) -> dict[str, ClusterNode]:
        answers = self._ask(nodes, by_value(self._ray))
        for name, found in answers.items():
            if reason := found.get("missing") or unlike(self._driver, found):
                self._leave_out(nodes[name], reason)
        return {name: nodes[name] for name in answers if name not in self._left_out}

    def _offering(self, nodes: dict[str, ClusterNode]) -> dict[str, ClusterNode]:
        """Those with the same bundle and codec build, a backend of their own, and room for a task."""
        work = self._work
        offers = self._ask(nodes, make_offer, self.choice, work.recipe, work.input, work.identity)
        for name, offer in offers.items():
            if reason := self._unfit(nodes[name], offer):
                self._leave_out(nodes[name], reason)
            elif not offer.sees_input:
                self._blind.add(name)
        fit = {name: offer for name, offer in offers.items() if name not in self._left_out}
        if fit and self._reference is None:
            self._settle(fit)
        wanted = f"{self.choice.backend} {self.choice.precision}"
        for name in fit:
            if wanted not in fit[name].milliseconds:
                self._leave_out(nodes[name], f"it does not offer {wanted}")
        return {name: nodes[name] for name in fit if name not in self._left_out}

    def _unfit(self, node: ClusterNode, offer: Offer) -> str:
        if offer.refused:
            return offer.refused
        if offer.graphs != graphs_of(self._bundle):
            return f"its bundle {self.choice.model} is another one: copy this machine's to it"
        if offer.codec != self._codec:
            return "its encoder makes other bytes of the same frames: install the same av there"
        if not offer.sees_input and self._work.input and not self._work.travels:
            return f"it does not see {self._work.input}, which is more than one file: use a shared folder"
        if self._work.memory > node.memory:
            need, has = self._work.memory / 2**30, node.memory / 2**30
            return f"a piece needs about {need:.1f} GiB of memory and Ray may give {has:.1f} there"
        return ""

    def _settle(self, offers: dict[str, Offer]) -> None:
        """Backend and precision once for all: what serves all nodes best, else what most of them have."""
        told = [offer.milliseconds for offer in offers.values()]
        chosen = choose_offered(self._bundle, told)
        if chosen is None:
            names = sorted({name for offer in told for name in offer})
            most = max(names, key=lambda name: sum(name in offer for offer in told))
            chosen = choose_offered(self._bundle, [offer for offer in told if most in offer])
        assert chosen is not None
        self.choice = dataclasses.replace(
            self.choice, backend=chosen.backend.name, precision=chosen.precision, retune=False
        )
        if self._work.network != self.choice:
            self._say(f"{self._bundle.name} in {chosen.precision} on {chosen.backend.name}: {chosen.why}")

    def _tried(self, nodes: dict[str, ClusterNode]) -> dict[str, NodeTrial]:
        trials: dict[str, NodeTrial] = self._ask(nodes, make_trial, self.choice, self._work.card)
        if self.choice.backend in BY_NAME_ALONE:
            supplied = self._with_engines_of_others(nodes, trials)
            trials |= self._ask(supplied, make_trial, self.choice, self._work.card)
        for name, trial in trials.items():
            if trial.refused:
                self._leave_out(nodes[name], trial.refused)
        return {name: trial for name, trial in trials.items() if name not in self._left_out}

    def _with_engines_of_others(
        self, nodes: dict[str, ClusterNode], trials: dict[str, NodeTrial]
    ) -> dict[str, ClusterNode]:
        """Nodes without the engines that got some from one whose GPU is of the same kind."""
        lacking = [nodes[name] for name, trial in trials.items() if trial.refused]
        self._givers |= {
            t.computing.get("gpu", ""): nodes[name] for name, t in trials.items() if not t.refused
        }
        found: dict[str, ClusterNode] = {}
        for giver in self._givers.values() if lacking else ():
            for name, taken in share(self._ray, giver, lacking, engines_for, self.choice).items():
                if taken.fresh:
                    found[name] = nodes[name]
                    self._say(f"{nodes[name].host} takes {taken.fresh} engines from {giver.host}")
            lacking = [node for node in lacking if node.id not in found]
        return found

    def _admit(self, trials: dict[str, NodeTrial], nodes: dict[str, ClusterNode]) -> None:
        if not trials:
            return
        if self._reference is None:
            self._reference = next(iter(trials.values()))
            if not self._mixed:
                refuse_mixture({nodes[name].host: trial for name, trial in trials.items()})
        for name in odd_ones(self._reference, trials, allow_mixed=self._mixed):
            self._leave_out(
                nodes[name], f"it computes otherwise: {differences(self._reference, trials[name])}"
            )
        kept = {name: nodes[name] for name in trials if name not in self._left_out}
        for name in kept:
            if trials[name].kind != self._reference.kind:
                told = f"{nodes[name].host} computes otherwise ({differences(self._reference, trials[name])})"
                self.notes.append(f"{told}: pictures may differ by one level")
        with self._turn:
            self.nodes = {**self.nodes, **kept}

    def _ask(
        self, nodes: dict[str, ClusterNode], question: Callable[..., Any], *given: Any
    ) -> dict[str, Any]:
        answers, failures = ask(self._ray, nodes.values(), question, *given)
        for name, reason in failures.items():
            self._leave_out(nodes[name], reason)
        return answers

    def _leave_out(self, node: ClusterNode, reason: str) -> None:
        self._left_out[node.id] = f"{node.host}: {reason}"
        self._say(f"left out: {node.host}: {reason}")

    def _none_fit(self) -> str:
        reasons = sorted(set(self._left_out.values()))
        return f"no node of the cluster can take part: {'; '.join(reasons) or 'none has a free core'}"


def _share(cluster: Cluster, choice: NetworkChoice, nodes: Collection[ClusterNode]) -> tuple[int, int]:
    """The cores that a task asks Ray for, and the threads that it computes with."""
    if cluster.threads is not None:
        return 1, choice.threads or cluster.threads
    smallest = int(min((node.cpus for node in nodes), default=1))
    if (choice.threads or 0) > smallest:
        raise OptionError(f"--threads {choice.threads} is more than the smallest node's {smallest} cores")
    cores = choice.threads or max(1, min(MOST_THREADS, smallest // 2))
    return cores, cores


def by_value(ray: Any) -> Callable[[], dict[str, Any]]:
    """The first question, as it travels to nodes that may not have this package."""
    ray.cloudpickle.register_pickle_by_value(inquiry)
    return inquiry.identity


def unlike(driver: dict[str, Any], found: dict[str, Any]) -> str:
    """Why a node's answer tells of other code than this machine's; empty where it does not."""
    if found["version"] != driver["version"]:
        return f"it has edge-sr {found['version']}, this machine {driver['version']}"
    if found["code"] != driver["code"]:
        return f"its edge-sr {found['version']} is not the same code as this machine's"
    return ""
