"""What a request's query asks for. One table says what there is; the OpenAPI description is made of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

from edge_sr.backends.registry import BACKENDS
from edge_sr.errors import OptionError
from edge_sr.kinds import Precision
from edge_sr.sizes import LARGEST_SCALE, Region, Size, parse_region, parse_scale, parse_size
from edge_sr.upscale.run.request import Request
from edge_sr.video.encode.codecs import CODECS
from edge_sr.video.film.info import parse_excerpt

PRECISIONS = ("auto", *get_args(Precision))
PICTURE_FORMATS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif", "avif": ".avif"}
FILM_FORMATS = {"mkv": ".mkv", "mp4": ".mp4", "mov": ".mov", "webm": ".webm"}
FORMATS = (*PICTURE_FORMATS, *FILM_FORMATS)
LONGEST_VALUE = 200


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One option of the query: what it may be, in JSON Schema's words, what it does, and how it is read."""

    name: str
    schema: dict[str, Any]
    text: str
    read: Callable[[str], Any]


def _whole(name: str, least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not least <= int(text) <= most:
            raise OptionError(f"{name} is a whole number from {least} to {most}, found {text!r}")
        return int(text)

    return read


def _one_of(name: str, known: Iterable[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise OptionError(f"{name} is one of {', '.join(known)}, found {text!r}")
        return text

    return read


def _flag(name: str) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text not in ("true", "false"):
            raise OptionError(f"{name} is true or false, found {text!r}")
        return text == "true"

    return read


def _word(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(_WORD["pattern"], text):
            raise OptionError(f"{name} is a word of letters, digits, dots and dashes, found {text!r}")
        return text

    return read


def _choice(name: str, known: tuple[str, ...], text: str) -> Parameter:
    return Parameter(name, {"type": "string", "enum": list(known)}, text, _one_of(name, known))


def _switch(name: str, text: str) -> Parameter:
    return Parameter(name, {"type": "boolean", "default": False}, text, _flag(name))


_TIME: dict[str, Any] = {"type": "string", "maxLength": 40}
_WORD: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}
PARAMETERS = {
    one.name: one
    for one in (
        Parameter(
            "scale",
            {"type": "number", "minimum": 1, "maximum": LARGEST_SCALE},
            "How much larger, such as 2 or 2.7.",
            parse_scale,
        ),
        Parameter(
            "size",
            {"type": "string", "pattern": "^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$"},
            "Exact size of the output, WIDTHxHEIGHT.",
            lambda text: parse_size(text, "size"),
        ),
        Parameter(
            "height",
            {"type": "integer", "minimum": 1, "maximum": 99999},
            "Height of the output; the width follows.",
            _whole("height", 1, 99999),
        ),
        Parameter(
            "region",
            {"type": "string", "pattern": "^[0-9]{1,5}(,[0-9]{1,5}){3}$"},
            "Only this part, X,Y,WIDTH,HEIGHT in input pixels.",
            lambda text: parse_region(text, "region"),
        ),
        Parameter("model", _WORD, "A network that /models lists.", _word("model")),
        _choice("backend", ("auto", *BACKENDS), "What runs the network."),
        _choice("precision", PRECISIONS, "Number format of the network."),
        _switch("tta", "Average all eight turns and mirrorings of each frame: eight times the work."),
        _switch("strict", "Fail when anything is damaged or left out."),
        _choice("format", FORMATS, "Format of the answer; by default the upload's own where it is written."),
        _choice("codec", tuple(CODECS), "Films: the encoder; by default x264, in WebM vp9."),
        Parameter(
            "crf",
            {"type": "integer", "minimum": 0, "maximum": 63},
            "Films: constant quality on the codec's own scale; lower is better and larger.",
            _whole("crf", 0, 63),
        ),
        Parameter("preset", _WORD, "Films: the codec's own word for speed.", _word("preset")),
        Parameter("start", _TIME, "Films: begin here, in seconds or HH:MM:SS.", str),
        Parameter("duration", _TIME, "Films: stop after so long.", str),
        _switch("tonemap", "Films: bring HDR to SDR."),
    )
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """The query's options, read and checked."""

    scale: Fraction | None = None
    size: Size | None = None
    height: int | None = None
    region: Region | None = None
    model: str | None = None
    backend: str = "auto"
    precision: str = "auto"
    tta: bool = False
    strict: bool = False
    format: str | None = None
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    start: str | None = None
    duration: str | None = None
    tonemap: bool = False

    def request(self, source: Path, output: Path) -> Request:
        """The run that it asks for, as ``upscale`` has it."""
        given = {
            name: value for name, value in vars(self).items() if name not in ("format", "start", "duration")
        }
        return Request(
            str(source),
            output,
            **given,
            excerpt=parse_excerpt(self.start, self.duration),
            hwaccel="none",
        )


def parse_query(pairs: Iterable[tuple[str, str]]) -> Asked:
    """The options of a query; ``OptionError`` for one that is unknown, twice there, or no value of its kind."""
    found: dict[str, Any] = {}
    for name, text in pairs:
        parameter = PARAMETERS.get(name)
        if parameter is None:
            raise OptionError(f"unknown option {name[:80]!r}; known: {', '.join(PARAMETERS)}")
        if name in found:
            raise OptionError(f"{name} is there twice: leave one out")
        if len(text) > LONGEST_VALUE:
            raise OptionError(f"{name} has {len(text)} characters, expected {LONGEST_VALUE} at most")
        found[name] = parameter.read(text)
    given = [name for name in ("scale", "size", "height") if name in found]
    if len(given) != 1:
        raise OptionError(f"give exactly one of scale, size and height, found {', '.join(given) or 'none'}")
    asked = Asked(**found)
    parse_excerpt(asked.start, asked.duration)
    return asked
