"""Watching folders: what comes into them is upscaled as it is finished, once each, until the caller stops."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from edge_sr.errors import EdgeSRError, InterruptedRun, OptionError
from edge_sr.machine.open_files import is_open_for_writing
from edge_sr.upscale.batch.batch import InputOutcome, RunningBatch, Told
from edge_sr.upscale.batch.listing import LEFT_OUT_LIST, BatchInput, files_of, picture_or_film
from edge_sr.upscale.batch.targets import check_output, output_folder, plan_jobs
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.video.encode.workfolder import WorkFolder
from edge_sr.video.protocols import names_others

# A file counts as finished when it has not changed for so long and nobody here writes it (seconds), looked at so often.
SETTLED, EVERY = 3.0, 1.0


@dataclasses.dataclass(frozen=True)
class Version:
    """What tells one state of a file from another."""

    bytes: int
    changed: int
    inode: int


class Arrivals:
    """The files of a folder that are finished, each version once."""

    def __init__(self, folder: Path, output: Path, recursive: bool) -> None:
        self._folder, self._output, self._recursive = folder, output, recursive
        self._given: dict[Path, Version] = {}
        self._growing: dict[Path, tuple[Version, float]] = {}

    def finished(self, now: float) -> Iterator[Path]:
        """Those that have become so since the last call; ``now`` is any clock, in seconds."""
        files = sorted(files_of(self._folder, self._output, self._recursive))
        found = {path: version for path in files if (version := _version(path)) is not None}
        self._given = {path: version for path, version in self._given.items() if path in found}
        self._growing = {path: known for path, known in self._growing.items() if path in found}
        for path, version in found.items():
            if self._given.get(path) != version and self._is_finished(path, version, now):
                self._given[path] = version
                del self._growing[path]
                yield path

    def _is_finished(self, path: Path, version: Version, now: float) -> bool:
        known, since = self._growing.get(path, (None, now))
        if known != version:
            self._growing[path] = version, now
            return False
        return version.bytes > 0 and now - since >= SETTLED and not is_open_for_writing(path)


def _version(path: Path) -> Version | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return Version(facts.st_size, facts.st_mtime_ns, facts.st_ino)


def watch(request: Request, folders: Sequence[str], controls: Controls, told: Told) -> NoReturn:
    """Upscales the films and pictures in ``folders``, and those that come, until ``controls.stop`` is set.

    What has its result already is left alone, so a later run goes on where this one stopped. ``told`` hears of the
    others as each ends; a fault of one is that one's alone. Always raises: ``InterruptedRun`` at the end,
    ``OptionError`` for what is no folder, ``ResourceError`` for what every other would fail by too.
    """
    if request.overwrite:
        raise OptionError(
            "--watch makes each result once: leave --overwrite out, and remove what is to be made anew"
        )
    places = [Path(name) for name in folders]
    for place in places:
        _check_folder(request, place)
    run = _Watch(dataclasses.replace(request, resume=True), places, controls, told)
    try:
        run.until_stopped()
    finally:
        run.close()


def _check_folder(request: Request, folder: Path) -> None:
    if not folder.is_dir():
        raise OptionError(f"--watch looks into folders, and {folder} is none")
    check_output(folder, output_folder(request, folder))


class _Watch:
    """The watched folders, and the batch that takes what comes."""

    def __init__(self, request: Request, folders: Sequence[Path], controls: Controls, told: Told) -> None:
        self._request, self._folders, self._controls = request, folders, controls
        self._batch = RunningBatch(request, controls, told, None)
        self._arrivals = [
            Arrivals(folder, output_folder(request, folder), request.recursive) for folder in folders
        ]

    def until_stopped(self) -> NoReturn:
        self._batch.warm_up()
        names = ", ".join(map(str, self._folders))
        self._controls.watcher.say(f"watching {names}: Ctrl-C ends it")
        while not self._controls.stop.wait(EVERY):
            for folder, arrivals in zip(self._folders, self._arrivals, strict=True):
                for path in arrivals.finished(time.monotonic()):
                    self._take(folder, path)
        done = self._batch.inputs
        raise InterruptedRun(f"stopped watching {names} after {done}; go on with: {self._request.go_on}")

    def close(self) -> None:
        self._batch.close()

    def _take(self, folder: Path, path: Path) -> None:
        """Upscales a finished file, unless it is neither film nor picture, or its result is there."""
        kind = picture_or_film(path, self._request.protocols)
        if kind is None:
            why = LEFT_OUT_LIST if names_others(path) else "is no film or picture: left out"
            self._controls.watcher.say(f"note: {path} {why}")
            return
        place = Path(folder.resolve().name) if len(self._folders) > 1 else Path()
        source = BatchInput(str(path), place / path.relative_to(folder), kind, folder)
        try:
            (job,) = plan_jobs(self._request, [source], more_may_come=True)
        except EdgeSRError as error:
            self._batch.tell(InputOutcome(source.name, error=error))
            return
        if job.target is not None and job.target.exists() and not WorkFolder(job.target).exists:
            self._controls.watcher.say(f"{job.target} is there already: {path} is left alone")
            return
        (self._batch.pictures if kind else self._batch.films)([job])
