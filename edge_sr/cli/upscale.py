"""``edge-sr upscale``: a film, an image or a folder of images, at any size."""

from __future__ import annotations

import json
import shlex
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sr.cli.options import (
    FILM,
    NETWORK,
    RUN,
    SIZE,
    Backend,
    Codec,
    DecoderName,
    Json,
    Model,
    Overwrite,
    Precision,
    Protocols,
    Retune,
    Scale,
    Size,
    Threads,
)
from edge_sr.errors import MediaError, OptionError

if TYPE_CHECKING:
    from edge_sr.upscale.request import Controls, Request
    from edge_sr.video.film.film import Excerpt

EXAMPLES = ("edge-sr upscale holiday.mp4 --height 1080", "edge-sr upscale photos --scale 2.7 -o larger")

Input = Annotated[
    str, typer.Argument(metavar="INPUT", help="An image, a folder of images, or anything FFmpeg opens.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="The file to write, or the folder for a folder; by default NAME-WxH.EXT beside the input.",
        rich_help_panel=RUN,
    ),
]
Height = Annotated[
    int | None,
    typer.Option(
        "--height", metavar="H", help="Height of the output; the width follows.", rich_help_panel=SIZE
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="X,Y,W,H", help="Only this part, in input pixels.", rich_help_panel=SIZE
    ),
]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="T", help="Begin here: seconds, or HH:MM:SS.", rich_help_panel=FILM),
]
Duration = Annotated[
    str | None,
    typer.Option("--duration", metavar="T", help="Stop after so long.", rich_help_panel=FILM),
]
Crf = Annotated[
    int | None,
    typer.Option(
        "--crf",
        metavar="N",
        help="Constant quality on the codec's own scale; lower is better and larger. x264: 18.",
        rich_help_panel=FILM,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="P", help="The codec's own word for speed, such as fast.", rich_help_panel=FILM
    ),
]
Hwaccel = Annotated[
    DecoderName,
    typer.Option(
        "--hwaccel",
        help="Where films are decoded: on an NVIDIA GPU where it can (auto), the CPU (none), the GPU or fail (cuda).",
        rich_help_panel=FILM,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.", rich_help_panel=RUN)]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what would be done and about how long it takes; write nothing.",
        rich_help_panel=RUN,
    ),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Average all eight turns and mirrorings of each frame: closer to the truth, eight times the work.",
        rich_help_panel=NETWORK,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Fail when anything is damaged or left out.", rich_help_panel=RUN),
]
Recursive = Annotated[
    bool,
    typer.Option("--recursive", help="Of a folder, the images in its sub-folders too.", rich_help_panel=RUN),
]


Tonemap = Annotated[
    bool,
    typer.Option(
        "--tonemap", help="Bring HDR films to SDR, for displays that show no HDR.", rich_help_panel=FILM
    ),
]


def upscale(
    input: Input,
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
    output: Output = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    strict: Strict = False,
    dry_run: DryRun = False,
    allow_protocols: Protocols = None,
    recursive: Recursive = False,
    as_json: Json = False,
) -> None:
    """Upscale a film, an image or a folder of images to any size.

    Give one of --scale, --size and --height.
    Sizes and regions are of the picture as it is displayed.
    """
    given = dict(locals())
    from edge_sr.cli.interrupts import stopping
    from edge_sr.cli.progress import Talker
    from edge_sr.upscale.request import Controls

    talker = Talker()
    with stopping(talker.say) as stop:
        work = _dry_run if dry_run else _run
        mapping, text = work(_request(given), Controls(talker, stop))
    typer.echo(json.dumps(mapping, allow_nan=False) if as_json else text)
    if failed := mapping.get("failed"):
        count = len(failed)
        raise MediaError(
            f"{count} of {count + mapping['frames']} could not be upscaled, the others are in {mapping['output']}; "
            f"the first: {failed[0]['error']}"
        )


def _run(request: Request, controls: Controls) -> tuple[dict[str, Any], str]:
    from edge_sr.cli.outcome import summary
    from edge_sr.upscale.upscale import upscale as run

    report = run(request, controls)
    return report.mapping(), summary(report)


def _dry_run(request: Request, controls: Controls) -> tuple[dict[str, Any], str]:
    from edge_sr.cli.outcome import preview
    from edge_sr.upscale.dry_run import outline

    found = outline(request, controls)
    return found.mapping(), preview(found)


def _request(given: dict[str, Any]) -> Request:
    """The request of the command line's words, by their names in ``upscale``."""
    from edge_sr.sizes import parse_scale
    from edge_sr.upscale.request import Request
    from edge_sr.video.protocols import parse_protocols

    as_given = (
        "input",
        "output",
        "height",
        "model",
        "backend",
        "precision",
        "codec",
        "crf",
        "preset",
        "threads",
    )
    flags = ("hwaccel", "resume", "overwrite", "strict", "recursive", "tta", "tonemap", "retune")
    return Request(
        **{name: given[name] for name in as_given + flags},
        scale=None if given["scale"] is None else parse_scale(given["scale"]),
        size=None if given["size"] is None else parse_size(given["size"]),
        region=None if given["region"] is None else parse_region(given["region"]),
        excerpt=_excerpt(given["start"], given["duration"]),
        protocols=parse_protocols(given["allow_protocols"]),
        go_on=command_to_go_on(sys.argv[1:]),
    )


def parse_size(text: str) -> tuple[int, int]:
    """``WxH`` in pixels; ``OptionError`` for anything else."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise OptionError(f"--size must be WxH in pixels, such as 1280x720, found {text!r}")
    return int(parts[0]), int(parts[1])


def parse_region(text: str) -> tuple[int, int, int, int]:
    """``X,Y,W,H`` in input pixels; ``OptionError`` for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        raise OptionError(f"--region must be X,Y,W,H in input pixels, such as 0,0,64,36, found {text!r}")
    x, y, width, height = map(int, parts)
    return x, y, width, height


def parse_time(text: str, option: str) -> Fraction:
    """Seconds, or ``[H:]M:S``, as an exact fraction; ``OptionError`` for anything else."""
    parts = text.split(":")
    numbers = [part for part in parts if part.replace(".", "", 1).isdecimal()]
    if len(numbers) != len(parts) or len(parts) > 3 or any("." in part for part in parts[:-1]):
        raise OptionError(f"{option} must be seconds or H:M:S, such as 12.5 or 1:02:03, found {text!r}")
    total = Fraction(0)
    for part in parts:
        total = total * 60 + Fraction(part)
    return total


def _excerpt(start: str | None, duration: str | None) -> Excerpt:
    from edge_sr.video.film.film import Excerpt

    length = None if duration is None else parse_time(duration, "--duration")
    if length == 0:
        raise OptionError("--duration must be longer than 0")
    return Excerpt(Fraction(0) if start is None else parse_time(start, "--start"), length)


def command_to_go_on(arguments: list[str]) -> str:
    """The command line that goes on with this run."""
    more = [] if "--resume" in arguments else ["--resume"]
    return shlex.join(["edge-sr", *arguments, *more])
