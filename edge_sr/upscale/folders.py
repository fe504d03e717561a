"""Upscaling every picture of a folder: a fault of one picture is that picture's alone."""

from __future__ import annotations

import collections
import dataclasses
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_sr.errors import (
    InputError,
    InputNotFoundError,
    InterruptedRun,
    MediaError,
    MemoryLimitError,
    MissingError,
    OptionError,
    OutputExistsError,
    OutputFolderError,
)
from edge_sr.files.drafts import remove_dead_drafts
from edge_sr.upscale.request import (
    Controls,
    Failure,
    Report,
    Request,
    check_free,
    check_place,
    open_network,
    report,
)
from edge_sr.upscale.stills import Converted, convert, refuse_film_options
from edge_sr.upscaler import Upscaler
from edge_sr.video.image.formats import suffix_for
from edge_sr.video.image.read import read_info
from edge_sr.video.image.recognise import is_picture_name, is_still


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture and where it goes."""

    source: Path
    target: Path


@dataclasses.dataclass
class _Tally:
    """``done``: what was converted, in order; ``failed``: which pictures were not, and why."""

    done: list[Converted] = dataclasses.field(default_factory=list)
    failed: list[Failure] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


def upscale_folder(request: Request, controls: Controls) -> Report:
    """Every picture of a folder under its own name; with ``resume`` those that are there are left alone.

    Pictures that cannot be upscaled are named in the report's ``failed``; ``MediaError`` when none can.
    """
    refuse_film_options(request)
    source = Path(request.input)
    output = request.output or source.with_name(f"{source.resolve().name}-{request.label}")
    _check_output(source, output)
    jobs = plan_jobs(source, output, folder_pictures(source, output, request.recursive, controls))
    if not request.resume and not request.overwrite:
        for job in jobs:
            check_free(job.target)
    with open_network(request, controls.watcher) as network:
        return _convert_all(request, jobs, output, network, controls)


def plan_jobs(source: Path, output: Path, pictures: Sequence[Path]) -> list[Job]:
    """Every picture of the folder ``source`` with a target of its own below ``output``.

    Where two would get one name, those whose suffix changes keep their old one before it: ``x.bmp.png``.
    ``OptionError`` where that does not tell them apart either.
    """
    wanted = [output / picture.relative_to(source).with_suffix(_suffix(picture)) for picture in pictures]
    count = collections.Counter(wanted)
    jobs = []
    for picture, target in zip(pictures, wanted, strict=True):
        changed = target.suffix != picture.suffix
        jobs.append(
            Job(
                picture,
                target.with_name(picture.name + target.suffix) if changed and count[target] > 1 else target,
            )
        )
    taken: dict[Path, Path] = {}
    for job in jobs:
        if (other := taken.setdefault(job.target, job.source)) != job.source:
            raise OptionError(f"{other} and {job.source} would both become {job.target}: rename one of them")
    return jobs


def _suffix(picture: Path) -> str:
    try:
        info = read_info(picture)
    except (InputError, MissingError):
        return picture.suffix  # it will fail under the name that it has
    return suffix_for(picture, info.content, deep=info.deep)


def _convert_all(
    request: Request, jobs: list[Job], output: Path, network: Upscaler, controls: Controls
) -> Report:
    tally = _Tally()
    for folder in {job.target.parent for job in jobs}:
        remove_dead_drafts(folder)
    waiting = [job for job in jobs if not (request.resume and job.target.exists())]
    resumed = len(jobs) - len(waiting)
    controls.watcher.begin(len(jobs), resumed)
    began = time.perf_counter()
    for job in waiting:
        if controls.stop.is_set():
            raise InterruptedRun(
                f"stopped after {len(tally.done)} pictures, all in {output}; go on with: {request.go_on}"
            )
        _convert_one(request, job, network, controls, tally)
        done = len(tally.done)
        controls.watcher.frame(resumed + done, done / (time.perf_counter() - began))
    controls.watcher.end()
    if not tally.done and tally.failed:
        raise MediaError(
            f"none of {len(waiting)} pictures could be upscaled; the first: {tally.failed[0].error}"
        )
    first = tally.done[0] if tally.done else None
    return report(
        network,
        [one.times for one in tally.done],
        output=output,
        frames=len(tally.done),
        seconds=time.perf_counter() - began,
        input_size=first.input_size if first else (0, 0),
        output_size=first.output_size if first else (0, 0),
        resumed_frames=resumed,
        bad_frames=len(tally.failed) + sum(bool(one.damage) for one in tally.done),
        dropped=tuple(name for one in tally.done for name in one.dropped),
        warnings=tuple(tally.warnings),
        failed=tuple(tally.failed),
    )


def _convert_one(request: Request, job: Job, network: Upscaler, controls: Controls, tally: _Tally) -> None:
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        done = convert(request, job.source, job.target, network, controls)
    except (OutputFolderError, OutputExistsError):
        raise
    except (InputError, OptionError, MissingError, MemoryLimitError) as error:
        tally.failed.append(Failure(str(job.source), str(error)))
        tally.warnings.append(str(error))
        controls.watcher.say(f"failed: {error}")
        return
    tally.done.append(done)
    if done.damage:
        tally.warnings.append(f"{job.source}: {done.damage}")


def _check_output(source: Path, output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output} is a file, expected a folder for the pictures of {source}")
    if output.resolve() == source.resolve():
        raise OptionError(f"the output folder is the input folder {source}: choose another with -o")
    # The folder itself when it is there, else the one it will be made in.
    check_place(str(source), output / "any" if output.is_dir() else output)


def folder_pictures(source: Path, output: Path, recursive: bool, controls: Controls) -> list[Path]:
    """The folder's pictures in order, told by content; ``InputNotFoundError`` when it holds none."""
    files = sorted(_files(source, output, recursive))
    pictures = [
        path for path in files if is_still(path) or (is_picture_name(path) and path.stat().st_size == 0)
    ]
    if not pictures:
        deeper = "" if recursive else "; --recursive looks into its sub-folders"
        raise InputNotFoundError(f"the folder {source} holds no picture{deeper}")
    if len(pictures) < len(files):
        controls.watcher.say(
            f"note: {len(files) - len(pictures)} files in {source} are no pictures: left out"
        )
    return pictures


def _files(source: Path, output: Path, recursive: bool) -> Iterator[Path]:
    """The folder's files, and with ``recursive`` those below; nothing hidden, and not the output's own."""
    own = output.resolve()
    for folder, inner, names in os.walk(source):
        inner[:] = [
            name
            for name in inner
            if recursive and not name.startswith(".") and (Path(folder) / name).resolve() != own
        ]
        yield from (
            Path(folder) / name
            for name in names
            if not name.startswith(".") and (Path(folder) / name).is_file()
        )
