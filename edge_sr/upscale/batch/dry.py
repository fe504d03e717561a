"""What a batch would do and roughly cost: films and TIFFs of several pages each by itself, other pictures by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError, InterruptedRun
from edge_sr.files.drafts import scratch_folder
from edge_sr.masking import masked_report
from edge_sr.sizes import Size
from edge_sr.upscale.batch.batch import plan_batch
from edge_sr.upscale.batch.folder import check_any_done
from edge_sr.upscale.batch.targets import Job
from edge_sr.upscale.dry_run import Outline, outline, refuse_resume
from edge_sr.upscale.inputs.pages import paged
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.networks import Networks
from edge_sr.upscale.run.report import Failure
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.stills import written_size
from edge_sr.video.image.formats import suffix_for
from edge_sr.video.image.read import read_info


@dataclasses.dataclass(frozen=True)
class Foreseen:
    """One input of a dry run: its outline, or the error that it would fail with."""

    input: str
    outline: Outline | None = None
    error: EdgeSRError | None = None

    def mapping(self) -> dict[str, Any]:
        """A line of JSON."""
        facts: dict[str, Any] = {"dry_run": True, "input": self.input}
        if self.outline is not None:
            facts |= self.outline.mapping()
        if self.error is not None:
            facts |= {"state": "failed", "error": str(self.error), "exit_code": self.error.exit_code}
        return masked_report(facts)


def outline_batch(request: Request, inputs: Sequence[str], controls: Controls) -> Iterator[Foreseen]:
    """The outline of each input in turn; raises what the run would refuse before the work."""
    refuse_resume(request)
    jobs = plan_batch(request, inputs, controls)
    with closing(Networks(keeps=True)) as networks:
        yield from _outlines(request, jobs, dataclasses.replace(controls, networks=networks))


def _outlines(request: Request, jobs: Sequence[Job], controls: Controls) -> Iterator[Foreseen]:
    sample: Outline | None = None
    for job in jobs:
        if controls.stop.is_set():
            raise InterruptedRun("stopped: nothing was written")
        try:
            found = _outline(request, job, sample, controls)
        except InterruptedRun:
            raise
        except EdgeSRError as error:
            yield Foreseen(job.source.name, error=error)
            continue
        if _is_single(job):
            sample = sample or found
        yield Foreseen(job.source.name, found)


def _outline(request: Request, job: Job, sample: Outline | None, controls: Controls) -> Outline:
    asked = job.request(request)
    if sample is not None and _is_single(job):
        return _scaled(asked, sample)
    if job.target is None:
        return outline(asked, controls)
    # The run makes the folders on its way, a dry one must not.
    with scratch_folder() as folder:
        place = folder / job.target.name
        found = outline(dataclasses.replace(asked, output=place), controls)
    return dataclasses.replace(found, output=str(job.target))


def _is_single(job: Job) -> bool:
    """Whether it is a picture that takes as long as others of its size."""
    return job.source.is_picture and paged(Path(job.source.name)) is None


def _scaled(asked: Request, sample: Outline) -> Outline:
    """A picture's outline by the pixels that it has more or less than the sample."""
    source = Path(asked.input)
    info = read_info(source)
    size = written_size(asked, source, info)
    suffix = suffix_for(source, info.content, deep=info.deep)
    share = _pixels(size) / _pixels(sample.output_size)
    return dataclasses.replace(
        sample,
        input=asked.input,
        output=str(asked.output or asked.default_output(size, suffix)),
        input_size=info.size,
        output_size=size,
        sample_frames=0,
        estimated_seconds=round((sample.estimated_seconds or 0) * share, 1),
        estimated_bytes=round((sample.estimated_bytes or 0) * share),
    )


def _pixels(size: Size) -> int:
    return size[0] * size[1]


def total_outline(found: Sequence[Foreseen], source: str, output: Path) -> Outline:
    """The sum for a folder: sizes and network are those of the first. Raises what ``check_any_done`` does."""
    check_any_done([one.error for one in found])
    outlines = [one.outline for one in found if one.outline is not None]
    seconds = [one.estimated_seconds for one in outlines]
    sizes = [one.estimated_bytes for one in outlines]
    return dataclasses.replace(
        outlines[0],
        input=source,
        output=str(output),
        frames=sum(one.frames for one in outlines),
        codec=next((one.codec for one in outlines if one.codec), None),
        tracks_kept=(),
        tracks_lost=tuple(dict.fromkeys(name for one in outlines for name in one.tracks_lost)),
        sample_frames=sum(one.sample_frames for one in outlines),
        estimated_seconds=None if None in seconds else round(sum(filter(None, seconds)), 1),
        estimated_bytes=None if None in sizes else sum(filter(None, sizes)),
        failed=tuple(Failure(one.input, str(one.error)) for one in found if one.error is not None),
    )
