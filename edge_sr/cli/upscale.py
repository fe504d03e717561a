"""``edge-sr upscale``: films and images, one or many, at any size."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from edge_sr.cli.options import (
    AllowMixed,
    Backend,
    Cluster,
    Codec,
    Model,
    Overwrite,
    Precision,
    Protocols,
    Retune,
    Scale,
    Size,
    Threads,
)
from edge_sr.cli.upscale_options import (
    Crf,
    DryRun,
    Duration,
    Framerate,
    Height,
    Hwaccel,
    InputFormat,
    Inputs,
    Json,
    Output,
    OutputFormat,
    PixelFormat,
    Preset,
    Recursive,
    Region,
    Resume,
    Start,
    Strict,
    Tonemap,
    Tta,
    VideoSize,
    Watch,
)
from edge_sr.errors import OptionError

if TYPE_CHECKING:
    from edge_sr.cli.terminal.progress import Talker
    from edge_sr.upscale.run.controls import Controls
    from edge_sr.upscale.run.request import Request

SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
EXAMPLES = (
    "edge-sr upscale holiday.mp4 --height 1080",
    "edge-sr upscale films/*.mkv photos @more.txt --scale 2.7 -o larger",
)


def upscale(
    inputs: Inputs,
    scale: Scale = None,
    size: Size = None,
    height: Height = None,
    region: Region = None,
    model: Model = None,
    backend: Backend = "auto",
    precision: Precision = "auto",
    threads: Threads = None,
    tta: Tta = False,
    retune: Retune = False,
    start: Start = None,
    duration: Duration = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    hwaccel: Hwaccel = "auto",
    tonemap: Tonemap = False,
    input_format: InputFormat = None,
    output_format: OutputFormat = None,
    pixel_format: PixelFormat = None,
    video_size: VideoSize = None,
    framerate: Framerate = None,
    output: Output = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    strict: Strict = False,
    dry_run: DryRun = False,
    allow_protocols: Protocols = None,
    recursive: Recursive = False,
    cluster: Cluster = None,
    allow_mixed: AllowMixed = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Upscale films and images, one or many, to any size.

    Give one of --scale, --size and --height.
    Sizes and regions are of the picture as it is displayed.
    Of several inputs, each goes into the folder -o; one that fails does not stop the others.
    The input - is y4m or raw frames from standard input, -o - writes such to standard output.
    """
    given = dict(locals())
    from edge_sr.cli.terminal.interrupts import stopping
    from edge_sr.cli.terminal.progress import Talker
    from edge_sr.cli.upscale_request import request_of
    from edge_sr.upscale.run.controls import Controls

    talker = Talker()
    with stopping(talker.say) as stop:
        request = request_of(given)
        with _makers(request, cluster, allow_mixed, dry_run, talker) as makers:
            controls = Controls(talker, stop, **makers)
            if watch:
                _watch(request, given, controls)
            _upscale(request, inputs, output, controls, dry_run=dry_run, as_json=as_json)


def _upscale(
    request: Request,
    inputs: list[str],
    output: str | None,
    controls: Controls,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    if _is_one(inputs, output):
        work = _dry_run if dry_run else _run
        mapping, text = work(request, controls)
        typer.echo(json.dumps(mapping, allow_nan=False) if as_json else text, err=request.writes_pipe)
        return
    from edge_sr.cli.batch import dry_run_batch, run_batch

    (dry_run_batch if dry_run else run_batch)(request, inputs, controls, as_json=as_json)


def _watch(request: Request, given: dict[str, Any], controls: Controls) -> NoReturn:
    from edge_sr.cli.batch import watch_folders

    if given["dry_run"]:
        raise OptionError("--dry-run tells of what is there, and --watch waits for more: give one of them")
    watch_folders(request, given["inputs"], controls, as_json=given["as_json"])


def _is_one(inputs: list[str], output: str | None) -> bool:
    """Whether there is one film or picture to do, and a name for the result."""
    if output == "-" and len(inputs) > 1:
        raise OptionError("-o - takes the frames of one film: give one input")
    one = len(inputs) == 1 and not inputs[0].startswith("@") and not Path(inputs[0]).is_dir()
    return one and (output is None or not (output.endswith(SEPARATORS) or Path(output).is_dir()))


@contextlib.contextmanager
def _makers(
    request: Request, cluster: str | None, allow_mixed: bool, dry_run: bool, talker: Talker
) -> Iterator[dict[str, Any]]:
    """What makes films' segments, as ``Controls`` has it: nothing to say of this process alone."""
    if cluster is None:
        if allow_mixed:
            raise OptionError("--allow-mixed is about the nodes of a cluster: it needs --cluster")
        yield {}
        return
    if dry_run:
        raise OptionError("--dry-run judges by a sample made on this machine: leave --cluster out")
    if request.reads_pipe or request.writes_pipe:
        raise OptionError("what goes through a pipe is made on this machine: leave --cluster out")
    from edge_sr.farm.films.maker import ClusterMakers
    from edge_sr.farm.nodes.connection import ClusterAddress, joined

    with joined(ClusterAddress.parse(cluster)) as joint:
        if joint.dashboard:
            talker.say(f"Ray's dashboard: {joint.dashboard}")
        yield {"makers": ClusterMakers(joint, allow_mixed=allow_mixed)}


def _run(request: Request, controls: Controls) -> tuple[dict[str, Any], str]:
    from edge_sr.cli.terminal.outcome import summary
    from edge_sr.upscale.upscale import upscale as run

    report = run(request, controls)
    return report.mapping(), summary(report)


def _dry_run(request: Request, controls: Controls) -> tuple[dict[str, Any], str]:
    from edge_sr.cli.terminal.outcome import preview
    from edge_sr.upscale.dry_run import outline

    found = outline(request, controls)
    return found.mapping(), preview(found)
