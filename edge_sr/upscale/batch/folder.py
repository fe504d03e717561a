"""A folder as one input: everything in it, reported as one sum."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

from edge_sr.errors import EdgeSRError, MediaError, OptionError
from edge_sr.machine.memory import peak_rss_mb
from edge_sr.upscale.batch.batch import InputOutcome, plan_batch, run_batch
from edge_sr.upscale.batch.targets import output_folder
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request


def upscale_folder(request: Request, controls: Controls) -> Report:
    """Every film and picture of a folder under its own name; with ``resume`` those that are there are left alone.

    Those that cannot be upscaled are named in the report's ``failed``; ``MediaError`` when none can.
    """
    jobs = plan_batch(request, [request.input], controls)
    outcomes = run_batch(request, jobs, controls, lambda outcome: None)
    return total(outcomes, output_folder(request, Path(request.input)))


def check_any_done(found: Sequence[EdgeSRError | None]) -> None:
    """Raises ``MediaError`` when all inputs have an error, ``OptionError`` when what was asked for is why."""
    errors = [error for error in found if error is not None]
    if not errors or len(errors) < len(found):
        return
    kind = OptionError if all(isinstance(error, OptionError) for error in errors) else MediaError
    raise kind(f"none of {len(errors)} inputs could be upscaled; the first: {errors[0]}")


def total(outcomes: Sequence[InputOutcome], output: Path) -> Report:
    """The sum of all reports: sizes and network are those of the first, times the medians."""
    check_any_done([outcome.error for outcome in outcomes])
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    made = [report for report in reports if not report.was_done] or reports[:1]
    first = made[0]
    seconds = sum(report.seconds for report in reports)
    frames = sum(report.frames for report in reports)
    resumed = sum(report.resumed_frames for report in reports)
    failed = [outcome.failure for outcome in outcomes if outcome.error is not None]
    return dataclasses.replace(
        first,
        output=str(output),
        frames=frames,
        seconds=round(seconds, 3),
        fps=round((frames - resumed) / seconds, 3) if seconds > 0 else 0.0,
        encoder_ms=round(statistics.median(report.encoder_ms for report in made), 3),
        decoder_ms=round(statistics.median(report.decoder_ms for report in made), 3),
        peak_rss_mb=peak_rss_mb(),
        codec=next((report.codec for report in reports if report.codec), None),
        was_done=all(report.was_done for report in reports) or None,
        resumed_frames=resumed,
        bad_frames=len(failed) + sum(report.bad_frames for report in reports),
        dropped=tuple(name for report in reports for name in report.dropped),
        warnings=(
            *(failure.error for failure in failed),
            *(text for report in reports for text in report.warnings),
        ),
        notes=(),
        nodes=None,
        failed=tuple(failed),
    )
