"""Where each of several inputs goes: no two share a target, and none is another's input."""

from __future__ import annotations

import collections
import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

from edge_sr.errors import InputError, MissingError, OptionError, OutputExistsError
from edge_sr.upscale.batch.listing import BatchInput
from edge_sr.upscale.run.places import check_folder, folder_of_input
from edge_sr.upscale.run.request import Request
from edge_sr.video.encode.containers import film_suffix
from edge_sr.video.film.info import Excerpt
from edge_sr.video.image.formats import suffix_for
from edge_sr.video.image.read import read_info
from edge_sr.video.protocols import is_address

# The end of a name that a result gets where it lies beside its input.
SIZED = re.compile(r"-\d+x\d+$")


@dataclasses.dataclass(frozen=True)
class Job:
    """One film or picture, and where it goes: to ``target``, or without one to ``STEM-WxH.EXT`` beside the input."""

    source: BatchInput
    target: Path | None
    stem: str | None = None

    def request(self, asked: Request) -> Request:
        """What was asked of all, for this one; films' options are not for pictures."""
        if self.source.is_picture:
            asked = dataclasses.replace(asked, codec=None, crf=None, preset=None, excerpt=Excerpt())
        return dataclasses.replace(asked, input=self.source.name, output=self.target, stem=self.stem)


def output_folder(request: Request, folder: Path) -> Path:
    """Where the films and pictures of an input folder go: ``request.output``, or a folder beside it.

    ``OptionError`` for the root of the file system, which has none beside it.
    """
    if request.output is not None:
        return request.output
    whole = folder.resolve()
    if not whole.name:
        raise OptionError(f"a folder for the results of {folder} has no place beside it: choose one with -o")
    # "." and ".." have their name elsewhere.
    beside = whole if folder.name in ("", "..") else folder
    return beside.with_name(f"{whole.name}-{request.label}")


def plan_jobs(request: Request, sources: Sequence[BatchInput], *, more_may_come: bool = False) -> list[Job]:
    """A job for every source.

    Names stay as they are; where two would be one, those whose suffix changes keep the old one before it:
    ``x.bmp.png``. ``OptionError`` where that does not tell them apart either, for a target that is an input, and for an
    output folder that is an input folder or cannot be; ``OutputExistsError`` for a target that is there, unless the
    run goes on or overwrites. Where ``more_may_come``, every suffix that changes is kept so: a name must not depend on
    what else is there.
    """
    suffixes = [_suffix(request, source) for source in sources]
    wanted = [
        _wanted(request, source).with_suffix(suffix) for source, suffix in zip(sources, suffixes, strict=True)
    ]
    count = collections.Counter(wanted)
    jobs, names = [], []
    for source, suffix, name in zip(sources, suffixes, wanted, strict=True):
        shared = (more_may_come or count[name] > 1) and suffix != source.place.suffix
        full = name.with_name(source.place.name + suffix) if shared else name
        names.append(full)
        beside = request.output is None and source.folder is None
        jobs.append(Job(source, None, full.stem if shared else None) if beside else Job(source, full))
    _check_folders(request, jobs)
    _check_distinct(sources, names)
    for job in jobs:
        _check_free(request, job)
    return jobs


def _wanted(request: Request, source: BatchInput) -> Path:
    if request.output is not None:
        return request.output / source.place
    if source.folder is not None:
        # With several inputs a place begins with the folder's own name.
        return output_folder(request, source.folder) / Path(source.name).relative_to(source.folder)
    return folder_of_input(source.name) / source.place


def _suffix(request: Request, source: BatchInput) -> str:
    if not source.is_picture:
        return film_suffix(source.place, request.codec)
    try:
        info = read_info(Path(source.name))
    except (InputError, MissingError):
        return source.place.suffix  # it will fail under the name that it has
    return suffix_for(source.place, info.content, deep=info.deep)


def _check_distinct(sources: Sequence[BatchInput], targets: Sequence[Path]) -> None:
    taken: dict[Path, BatchInput] = {}
    for source, target in zip(sources, targets, strict=True):
        other = taken.setdefault(target, source)
        if other is not source:
            raise OptionError(
                f"{other.name} and {source.name} would both become {target}: rename one of them, "
                "or give the folder that holds both, with --recursive"
            )


def _check_free(request: Request, job: Job) -> None:
    if job.target is None or not job.target.exists() or request.resume or request.overwrite:
        return
    raise OutputExistsError(
        f"{job.target} exists already: add --resume to leave what is there, --overwrite to replace it, "
        "or choose another folder with -o"
    )


def _check_folders(request: Request, jobs: Sequence[Job]) -> None:
    roots = {_root(request, job) for job in jobs} - {None}
    for folder, output in sorted(root for root in roots if root is not None):
        check_output(folder, output)
    given = {os.path.realpath(job.source.name) for job in jobs if not is_address(job.source.name)}
    for job in jobs:
        if job.target is not None and os.path.realpath(job.target) in given:
            raise OptionError(f"{job.target} would replace an input: choose another folder with -o")
    if request.overwrite:
        _check_beside(jobs)


def check_output(folder: Path | str, output: Path) -> None:
    """Refuses a folder for results that is a file, the input folder, or cannot be made. ``folder`` may be empty."""
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output} is a file, expected a folder for several films or pictures")
    if folder and output.resolve() == Path(folder).resolve():
        raise OptionError(f"the output folder is the input folder {folder}: choose another with -o")
    # The folder itself when it is there, else the one it will be made in.
    check_folder(output if output.is_dir() else output.parent)


def _check_beside(jobs: Sequence[Job]) -> None:
    """Results that get their size into their name must not replace an input that has such a name."""
    paths = [Path(job.source.name) for job in jobs]
    beside = {
        (path.parent, job.stem or path.stem)
        for job, path in zip(jobs, paths, strict=True)
        if job.target is None
    }
    for path in paths:
        stem = SIZED.sub("", path.stem)
        if stem != path.stem and (path.parent, stem) in beside:
            raise OptionError(
                f"the input {path} may be replaced by the result of {stem}: choose a folder with -o"
            )


def _root(request: Request, job: Job) -> tuple[str, Path] | None:
    """The input folder of a job, if it is from one, and the output folder."""
    folder = job.source.folder
    if folder is not None:
        return str(folder), output_folder(request, folder)
    return None if request.output is None else ("", request.output)
