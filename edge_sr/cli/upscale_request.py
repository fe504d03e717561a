"""The words of ``edge-sr upscale`` as a request."""

from __future__ import annotations

import shlex
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import OptionError
from edge_sr.sizes import parse_region, parse_scale, parse_size
from edge_sr.upscale.run.request import Request
from edge_sr.video.film.info import parse_excerpt
from edge_sr.video.piped.forms import PipeFormat
from edge_sr.video.protocols import parse_protocols

AS_GIVEN = ("height", "model", "backend", "precision", "codec", "crf", "preset", "threads")
FLAGS = ("hwaccel", "resume", "overwrite", "strict", "recursive", "tta", "tonemap", "retune")


def request_of(given: dict[str, Any]) -> Request:
    """The request of the command line's words, by their names in ``upscale``."""
    return Request(
        input=given["inputs"][0],
        output=None if given["output"] is None else Path(given["output"]),
        **{name: given[name] for name in AS_GIVEN + FLAGS},
        scale=None if given["scale"] is None else parse_scale(given["scale"]),
        size=None if given["size"] is None else parse_size(given["size"], "--size"),
        region=None if given["region"] is None else parse_region(given["region"], "--region"),
        excerpt=parse_excerpt(given["start"], given["duration"], "--"),
        protocols=parse_protocols(given["allow_protocols"]),
        piping=_piping(given),
        go_on=command_to_go_on(sys.argv[1:]),
    )


def _piping(given: dict[str, Any]) -> PipeFormat:
    size, rate = given["video_size"], given["framerate"]
    return PipeFormat(
        given["input_format"],
        given["output_format"],
        given["pixel_format"],
        None if size is None else parse_size(size, "--video-size"),
        None if rate is None else _rate(rate),
    )


def _rate(text: str) -> Fraction:
    """Frames a second, as a number or a fraction; ``OptionError`` for anything else."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise OptionError(f"--framerate must be frames a second, such as 25 or 30000/1001, found {text!r}")
    return rate


def command_to_go_on(arguments: list[str]) -> str:
    """The command line that goes on with this run, quoted for a shell.

    ``arguments`` are those that the run was started with, without the program's name.
    """
    more = [] if "--resume" in arguments else ["--resume"]
    return shlex.join(["edge-sr", *arguments, *more])
