"""``edge-sr evaluate``: picture quality by the papers' protocol, beside baselines that need no network."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sr.cli.options import (
    NETWORK,
    RUN,
    SIZE,
    AllowMixed,
    Backend,
    Cluster,
    Json,
    Threads,
    complete_models,
)
from edge_sr.cli.pages import check_new_page
from edge_sr.cli.terminal.progress import say
from edge_sr.errors import OptionError

if TYPE_CHECKING:
    from edge_sr.evaluation.measure import EvaluationRequest
    from edge_sr.evaluation.results import Evaluation, Row


REFERENCES = "References"
EXAMPLES = (
    "edge-sr evaluate diinn-edge diinn-nano --hr Set5 --scales 2,3,4",
    "edge-sr evaluate diinn-edge --hr Set14 --precision fp32,int8 --report set14.html",
)

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="BUNDLE...|JSON...",
        help="Shipped networks or bundle folders; with --merge, JSON files of earlier runs.",
        autocompletion=complete_models,
    ),
]
Hr = Annotated[
    Path | None,
    typer.Option(
        "--hr",
        metavar="DIR|VIDEO",
        help="HR references: a folder, an image or a film. Needed unless --merge.",
        rich_help_panel=REFERENCES,
    ),
]
Scales = Annotated[
    str, typer.Option("--scales", metavar="S,...", help="Scales, such as 2,2.5,3.", rich_help_panel=SIZE)
]
Precisions = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="P,...",
        help="One or several of fp32, bf16, fp16, int8, auto.",
        rich_help_panel=NETWORK,
    ),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Measure the mean of all eight turns and mirrorings too, as rows of its own.",
        rich_help_panel=NETWORK,
    ),
]
Frames = Annotated[
    int,
    typer.Option(
        "--frames",
        metavar="N",
        min=1,
        help="Frames taken from a film, evenly spread.",
        rich_help_panel=REFERENCES,
    ),
]
ReportPage = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Write an HTML page too.", rich_help_panel=RUN),
]
Merge = Annotated[
    bool,
    typer.Option("--merge", help="Make one report of several runs' JSON files.", rich_help_panel=RUN),
]


def evaluate(
    inputs: Inputs,
    hr: Hr = None,
    scales: Scales = "2,3,4",
    precision: Precisions = "fp32",
    backend: Backend = "auto",
    threads: Threads = None,
    tta: Tta = False,
    frames: Frames = 16,
    report: ReportPage = None,
    merge: Merge = False,
    cluster: Cluster = None,
    allow_mixed: AllowMixed = False,
    as_json: Json = False,
) -> None:
    """Measure quality against HR references, beside bicubic, Lanczos and the network's own whole scales."""
    if merge:
        _merge(dict(locals()))
        return
    if allow_mixed and cluster is None:
        raise OptionError("--allow-mixed is about the nodes of a cluster: it needs --cluster")
    if hr is None:
        raise OptionError(
            "edge-sr evaluate needs HR references to measure against: add --hr FOLDER or --hr FILM"
        )
    check_new_page("--report", report)
    from edge_sr.evaluation.hr_set import find_references
    from edge_sr.evaluation.measure import EvaluationRequest
    from edge_sr.evaluation.measure import evaluate as run
    from edge_sr.sizes import parse_scale

    request = EvaluationRequest(
        bundles=tuple(inputs),
        references=find_references(hr, frames),
        scales=tuple(parse_scale(scale) for scale in scales.split(",")),
        precisions=tuple(name.strip() for name in precision.split(",")),
        backend=backend,
        with_crops=report is not None,
        threads=threads,
        tta=tta,
    )
    found = run(request, say) if cluster is None else _on_cluster(cluster, request, allow_mixed)
    # Before the page, which may find no room.
    typer.echo(json.dumps(found.mapping(), allow_nan=False) if as_json else table(found))
    if report is not None:
        write_report(report, [found])


def _on_cluster(cluster: str, request: EvaluationRequest, allow_mixed: bool) -> Evaluation:
    from edge_sr.farm.evaluation import evaluate_on
    from edge_sr.farm.nodes.connection import ClusterAddress, joined

    with joined(ClusterAddress.parse(cluster)) as joint:
        return evaluate_on(joint, request, say, allow_mixed=allow_mixed)


def table(found: Evaluation) -> str:
    """The figures as text: a line for each baseline and each row, in the order of scales."""
    head = f"{'':<34} {'scale':>6} {'PSNR-Y':>8} {'SSIM-Y':>8} {'PSNR-RGB':>9}"
    rows = sorted([*found.rivals, *found.results], key=lambda row: row.scale)
    return "\n".join([f"{found.set}, PSNR in dB", head, *(_line(row) for row in rows), "", found.protocol])


def _line(row: Row) -> str:
    scores = (
        f"{'equal':>{width}}" if value is None else f"{value:>{width}.{digits}f}"
        for value, width, digits in ((row.psnr_y, 8, 2), (row.ssim_y, 8, 4), (row.psnr_rgb, 9, 2))
    )
    equal = f"   without {row.equal} of {row.images}, equal" if row.equal else ""
    return f"{row.label:<34} {'x' + format(row.scale, 'g'):>6} {' '.join(scores)}{equal}"


def _merge(given: dict[str, Any]) -> None:
    """``given``: the words of the command by their names in ``evaluate``; those that mean nothing here are refused."""
    inputs, report = given["inputs"], given["report"]
    taken = ("inputs", "report", "merge")
    words = inspect.signature(evaluate).parameters.values()
    others = [word.name for word in words if word.name not in taken and given[word.name] != word.default]
    if report is None or others:
        found = ", ".join(f"--{name.removeprefix('as_').replace('_', '-')}" for name in others)
        raise OptionError(
            f"edge-sr evaluate --merge takes JSON files and --report FILE.html, found {found or 'no --report'}"
        )
    check_new_page("--report", report)
    from edge_sr.evaluation.results import load

    write_report(report, [load(Path(name)) for name in inputs])
    typer.echo(str(report))


def write_report(path: Path, found: list[Evaluation]) -> None:
    """One page of all that was found."""
    from edge_sr.evaluation.report import page
    from edge_sr.files.atomic import write_whole

    # Names of files and folders may be of another encoding.
    write_whole(path, page(found).encode("utf-8", errors="replace"))
    say(f"report: {path}")
