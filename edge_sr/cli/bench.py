"""``edge-sr bench``: how fast a bundle runs on this machine, and how near its peak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_sr.cli.options import (
    NETWORK,
    RUN,
    SIZE,
    Backend,
    BundleArgument,
    Json,
    Precision,
    Retune,
    Scale,
    Threads,
)
from edge_sr.cli.pages import check_new_page
from edge_sr.cli.terminal.progress import say
from edge_sr.errors import OptionError

if TYPE_CHECKING:
    from edge_sr.benchmark.bench import Setting, Speed


EXAMPLES = ("edge-sr bench diinn-nano --input-size 640x360 --scale 2", "edge-sr bench --all --plot speed.svg")

InputSize = Annotated[
    str,
    typer.Option("--input-size", metavar="WxH", help="Size of the frames that go in.", rich_help_panel=SIZE),
]
Every = Annotated[
    bool,
    typer.Option("--all", help="Every backend and precision that runs here.", rich_help_panel=NETWORK),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Write a chart: .svg, or with matplotlib .png or .pdf.",
        rich_help_panel=RUN,
    ),
]


def bench(
    bundle: BundleArgument = "diinn-edge",
    input_size: InputSize = "320x180",
    scale: Scale = "2",
    precision: Precision = "auto",
    backend: Backend = "auto",
    threads: Threads = None,
    retune: Retune = False,
    every: Every = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Time the encoder and the decoder, and compare with the machine's measured peak."""
    if every and (backend, precision) != ("auto", "auto"):
        raise OptionError(
            "--all goes through every backend and precision: leave --backend and --precision out"
        )
    _check_plot(plot)
    from edge_sr.benchmark import bench as work
    from edge_sr.benchmark.peak import by_precision
    from edge_sr.benchmark.plot import write_plot
    from edge_sr.machine.description import available_cores

    setting = _setting(bundle, input_size, scale or "2", backend, precision, threads, retune)
    work.check(setting)
    say("measuring the machine's peak")
    peaks = by_precision(threads or available_cores())
    if every:
        found, skipped = work.run_all(setting, peaks, say)
    else:
        found, skipped = [work.run(setting, peaks)], {}
    # Before the chart, which may find no room.
    typer.echo(_json(found, skipped, every) if as_json else work.table(found, skipped, peaks))
    if plot is not None and found:
        write_plot(found, setting, plot)
        say(f"plot: {plot}")


def _setting(
    bundle: str,
    input_size: str,
    scale: str,
    backend: str,
    precision: str,
    threads: int | None,
    retune: bool,
) -> Setting:
    from edge_sr.benchmark.bench import Setting
    from edge_sr.bundle import open_bundle
    from edge_sr.sizes import output_size, parse_scale, parse_size

    before = parse_size(input_size, "--input-size")
    after = output_size(*before, scale=parse_scale(scale))
    return Setting(open_bundle(bundle), before, after, backend, precision, threads, retune)


def _json(found: list[Speed], skipped: dict[str, str], every: bool) -> str:
    """One setting stands alone; of several each is an entry of ``results``."""
    if not every:
        return json.dumps(found[0].mapping())
    return json.dumps({"results": [speed.mapping() for speed in found], "skipped": skipped})


def _check_plot(plot: Path | None) -> None:
    if plot is None:
        return
    if plot.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise OptionError(f"--plot writes .svg, .png or .pdf, found {plot.name}")
    check_new_page("--plot", plot)
    if plot.suffix.lower() != ".svg":
        from edge_sr.machine.optional import require

        require("matplotlib", f"edge-sr bench --plot to {plot.suffix.lower()}")
