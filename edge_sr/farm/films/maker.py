"""A film's segments made by the nodes of a cluster, for the run that joins them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.farm.films.dispatch import Dispatcher
from edge_sr.farm.films.index import PieceIndex
from edge_sr.farm.films.intake import Intake, MovedFrames
from edge_sr.farm.films.job import FilmJob, SharedFolder
from edge_sr.farm.films.task import make_pieces
from edge_sr.farm.films.transfer import InputServer, can_travel, digest_of, remove_copy
from edge_sr.farm.nodes.asking import ask
from edge_sr.farm.nodes.connection import Cluster
from edge_sr.farm.nodes.fleet import FitNodes, NodeWork, SettledNetwork, name_for_nodes
from edge_sr.farm.nodes.trial import TrialCard
from edge_sr.upscale.film_plan import FilmPlan, memory_needed
from edge_sr.upscale.making.maker import Made
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Watcher
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.workfolder import WorkFolder
from edge_sr.video.film.film import Film
from edge_sr.video.film.identity import input_identity
from edge_sr.video.protocols import is_address


class ClusterMakers:
    """Opens makers on one cluster. The last pieces of a film leave nodes idle, which the next films' then take."""

    films_at_once = 3

    def __init__(self, cluster: Cluster, *, allow_mixed: bool = False) -> None:
        self._cluster, self._mixed = cluster, allow_mixed

    @contextlib.contextmanager
    def opened(
        self, request: Request, film: Film, plan: FilmPlan, watcher: Watcher, stop: Event
    ) -> Iterator[ClusterMaker]:
        asked = request.network
        choice = dataclasses.replace(asked, model=name_for_nodes(asked.model))
        given = request.input if is_address(request.input) else str(Path(request.input).absolute())
        work = NodeWork(
            choice,
            plan.recipe,
            given,
            input_identity(given),
            can_travel(given),
            memory_needed(plan.encoding, film.info),
            TrialCard(film.info.size, plan.target.size, not film.info.layout.fits_uint8),
        )
        fleet = FitNodes(self._cluster, work, watcher.say, allow_mixed=self._mixed)
        hosts = ", ".join(sorted(node.host for node in fleet.nodes.values()))
        watcher.say(f"on {len(fleet.nodes)} nodes ({hosts}), {fleet.slots} pieces at a time")
        yield ClusterMaker(self._cluster.ray, request, film, plan, watcher, stop, fleet, work)


class ClusterMaker:
    """One film on the nodes of a fleet."""

    def __init__(
        self,
        ray: Any,
        request: Request,
        film: Film,
        plan: FilmPlan,
        watcher: Watcher,
        stop: Event,
        fleet: FitNodes,
        work: NodeWork,
    ) -> None:
        self._ray, self._request, self._film, self._plan = ray, request, film, plan
        self._watcher, self._stop, self._fleet, self._asked = watcher, stop, fleet, work
        self._source: Any = None

    @property
    def network(self) -> SettledNetwork:
        return self._fleet.network

    def make(self, work: WorkFolder) -> Made:
        plan, request = self._plan, self._request
        job = self._job(SharedFolder(work.path.absolute(), work.open_to_cluster()))
        index = PieceIndex(request.input, request.excerpt, request.protocols, plan.length)
        intake = Intake(work, plan.length, self._film.info.frames, self._watcher)
        dispatcher = Dispatcher(
            self._ray,
            self._fleet,
            make_pieces,
            self._stop,
            memory=self._asked.memory,
            serve=self._serve,
        )
        try:
            self._dispatch(dispatcher, job, index, intake)
        except MovedFrames as error:
            raise MediaError(f"{request.input} does not decode to the same frames twice") from error
        finally:
            self._tidy_up(job)
        made = intake.made
        made.interrupted = self._stop.is_set() and not intake.is_whole
        made.lost = [*self._film.lost, *(name for name in made.lost if name not in self._film.lost)]
        made.notes += self._fleet.notes
        return made

    def _dispatch(self, dispatcher: Dispatcher, job: FilmJob, index: PieceIndex, intake: Intake) -> None:
        """By the packets' times or, where those turn out to be wrong, by those of the decoded frames."""
        try:
            dispatcher.make(job, intake.checked(index.pieces(decoding=False), decoding=False), intake)
        except MovedFrames:
            self._watcher.say("note: the film's packets do not tell its frames: decoding it once")
            dispatcher.make(job, intake.checked(index.pieces(decoding=True), decoding=True), intake)

    def suspend(self) -> Segment | None:
        """Frames of unfinished pieces are on the nodes: they are made again."""
        return None

    def salvage(self) -> Segment | None:
        return None

    def _job(self, shared: SharedFolder) -> FilmJob:
        plan, film = self._plan, self._film
        return FilmJob(
            request=dataclasses.replace(self._request, input=self._asked.input),
            identity=self._asked.identity,
            network=self._fleet.choice,
            recipe=plan.recipe,
            target=plan.target,
            length=plan.length,
            captions=film.captions is not None,
            stereo=film.keeps_stereo,
            shared=shared,
        )

    def _serve(self) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        server = self._ray.remote(InputServer).options(num_cpus=0, scheduling_strategy=here)
        self._source = server.remote(self._asked.input)
        return self._source

    def _tidy_up(self, job: FilmJob) -> None:
        """Copies of the input go from the nodes."""
        if self._source is None:
            return
        with contextlib.suppress(Exception):
            ask(self._ray, self._fleet.nodes.values(), remove_copy, digest_of(job.identity))
            self._ray.kill(self._source)
