"""How ``edge-sr upscale`` tells of several inputs: a line of JSON as each ends, or a table at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from edge_sr.cli.terminal.outcome import cost, counted, preview
from edge_sr.errors import MediaError
from edge_sr.sizes import size_text

if TYPE_CHECKING:
    from edge_sr.upscale.batch.batch import InputOutcome
    from edge_sr.upscale.run.controls import Controls
    from edge_sr.upscale.run.report import Failure
    from edge_sr.upscale.run.request import Request


def run_batch(request: Request, inputs: Sequence[str], controls: Controls, *, as_json: bool) -> None:
    """Runs it; raises ``MediaError`` at the end when some failed. Whatever ends it, what was done is told."""
    from edge_sr.upscale.batch.batch import plan_batch
    from edge_sr.upscale.batch.batch import run_batch as run
    from edge_sr.upscale.batch.folder import check_any_done, total
    from edge_sr.upscale.batch.targets import output_folder

    jobs = plan_batch(request, inputs, controls)
    folder = _only_folder(inputs)
    told: list[InputOutcome] = []
    try:
        run(request, jobs, controls, _teller(told, lines=as_json and folder is None))
    finally:
        if told and not as_json:
            typer.echo(table(told))
    check_any_done([outcome.error for outcome in told])
    output = None if folder is None else output_folder(request, folder)
    if as_json and output is not None:
        _print(total(told, output).mapping())
    failed = [outcome.failure for outcome in told if outcome.error is not None]
    _end(
        failed,
        len(told),
        "" if request.output is None and output is None else f" in {request.output or output}",
    )


def watch_folders(request: Request, inputs: Sequence[str], controls: Controls, *, as_json: bool) -> NoReturn:
    """Upscales what comes into the folders, a line as each ends, until the run is stopped, which it raises."""
    from edge_sr.upscale.batch.watching import watch

    def tell(outcome: InputOutcome) -> None:
        if as_json:
            _print(outcome.mapping())
        else:
            typer.echo(table_row(outcome, 0))

    watch(request, inputs, controls, tell)


def _teller(told: list[InputOutcome], *, lines: bool) -> Callable[[InputOutcome], None]:
    def tell(outcome: InputOutcome) -> None:
        told.append(outcome)
        if lines:
            _print(outcome.mapping())

    return tell


def dry_run_batch(request: Request, inputs: Sequence[str], controls: Controls, *, as_json: bool) -> None:
    """The outlines, each as soon as it is known; raises ``MediaError`` at the end when some would fail."""
    from edge_sr.upscale.batch.dry import Foreseen, outline_batch, total_outline
    from edge_sr.upscale.batch.targets import output_folder

    folder = _only_folder(inputs)
    output = request.output or Path() if folder is None else output_folder(request, folder)
    told: list[Foreseen] = []
    for found in outline_batch(request, inputs, controls):
        told.append(found)
        if found.outline is not None and not as_json:
            typer.echo(preview(found.outline))
        elif as_json and folder is None:
            _print(found.mapping())
    whole = total_outline(told, ", ".join(inputs), output)
    if as_json and folder is not None:
        _print(whole.mapping())
    elif not as_json:
        typer.echo(f"all: {cost(whole)}")
    _end(whole.failed, len(told), "")


def _only_folder(inputs: Sequence[str]) -> Path | None:
    """The folder that is the only input, and so has one report."""
    only = Path(inputs[0])
    return only if len(inputs) == 1 and only.is_dir() else None


def _print(mapping: dict[str, object]) -> None:
    typer.echo(json.dumps(mapping, allow_nan=False))


def _end(failed: Sequence[Failure], count: int, where: str) -> None:
    if failed:
        raise MediaError(
            f"{len(failed)} of {count} could not be upscaled, the others are done{where}; the first: {failed[0].error}"
        )


def table(outcomes: Sequence[InputOutcome]) -> str:
    """A line for each input: what became of it, what it became or why not; then how many of each."""
    width = max(len(outcome.input) for outcome in outcomes)
    lines = [table_row(outcome, width) for outcome in outcomes]
    states = [outcome.state for outcome in outcomes]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("done", "skipped", "failed"))
    return "\n".join([*lines, f"{counted(len(outcomes), 'input')}: {counts}"])


def table_row(outcome: InputOutcome, width: int) -> str:
    """``width``: what the longest input's name takes."""
    return f"{outcome.state:8}{outcome.input:{width}}  {_fate(outcome)}"


def _fate(outcome: InputOutcome) -> str:
    report = outcome.report
    if report is None:
        return str(outcome.error)
    if report.was_done:
        return f"{report.output} is there already"
    source, result = size_text(report.input_size), size_text(report.output_size)
    frames = f"{counted(report.frames, 'frame')}, " if report.codec else ""
    return f"{report.output}, {frames}{source} to {result}, {report.seconds:.1f} s"
