"""What several inputs come to: lists are read and folders looked into, and each film and picture comes once."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from edge_sr.errors import EdgeSRError, InputNotFoundError, OptionError
from edge_sr.upscale.run.places import name_of_input
from edge_sr.upscale.run.request import Request
from edge_sr.video.image.recognise import is_picture_name, is_still
from edge_sr.video.opening import is_opened_by_name, open_input, picture_stream
from edge_sr.video.protocols import is_address, names_others

# Names by which a folder's films are known even where their content is damaged.
FILM_SUFFIXES = frozenset(
    """.mp4 .m4v .mov .mkv .webm .avi .wmv .asf .flv .f4v .mpg .mpeg .m2ts .mts .vob .ogv .3gp .3g2 .mxf .y4m .rm .rmvb
    .dv .mjpeg .mjpg .divx""".split()  # noqa: SIM905
)
# What browsers and copying programs call a file until it is whole; the last is a work folder's.
UNFINISHED = frozenset({".crdownload", ".download", ".tmp", ".temp", ".partial", ".aria2", ".part"})
# Demuxers of FFmpeg that take any text, or anything of the right name, for pictures of letters.
TEXT_DEMUXERS = frozenset({"tty", "bin", "xbin", "adf", "idf"})

LEFT_OUT_LIST = (
    "names other files or addresses: left out; if you trust it, add --allow-protocols and what it names"
)


@dataclasses.dataclass(frozen=True)
class BatchInput:
    """A film or picture. ``place``: its name below the output folder, with the suffix that it has; ``folder``: the
    given folder that it was found in."""

    name: str
    place: Path
    is_picture: bool
    folder: Path | None = None


def read_lists(inputs: Sequence[str]) -> list[str]:
    """The inputs, each ``@FILE`` replaced by its lines; ``@-`` is read from standard input.

    Empty lines and those that begin with ``#`` say nothing. Names are relative to the current folder.
    """
    found: list[str] = []
    for given in inputs:
        found += _lines(given[1:]) if given.startswith("@") else [given]
    if not found:
        raise InputNotFoundError(f"{', '.join(inputs)} names no input: expected one a line")
    return found


def _lines(name: str) -> list[str]:
    try:
        text = os.fsdecode(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())
    except FileNotFoundError as error:
        raise InputNotFoundError(
            f"no such list: {name} (a file whose name begins with @ is given as ./@{name})"
        ) from error
    except OSError as error:
        raise InputNotFoundError(f"the list {name} cannot be read: {error.strerror}") from error
    # Not splitlines: what else it takes for the end of a line may be in a name.
    lines = re.split(r"\r?\n", text.removeprefix("\ufeff"))
    return [line for line in lines if line and not line.startswith("#")]


def gather(
    inputs: Sequence[str], request: Request, output_for: Callable[[Path], Path], say: Callable[[str], None]
) -> list[BatchInput]:
    """Every film and picture that ``inputs`` names, in order; what is left out is said.

    ``request`` says how deep a folder is looked into, and which protocols its lists may use. ``output_for`` gives the
    output folder of an input folder, whose own files are no input.
    """
    several = len(inputs) > 1
    found: dict[str, BatchInput] = {}
    for name in inputs:
        if name == "-":
            raise OptionError("standard input (-) is an input of its own: give it alone")
        for source in _sources(name, several, request, output_for, say):
            key = source.name if is_address(source.name) else os.path.realpath(source.name)
            if key in found:
                say(f"note: {source.name} is given twice: upscaled once")
            found.setdefault(key, source)
    return list(found.values())


def _sources(
    name: str,
    several: bool,
    request: Request,
    output_for: Callable[[Path], Path],
    say: Callable[[str], None],
) -> Iterator[BatchInput]:
    path = Path(name)
    if is_opened_by_name(name) or not path.is_dir():
        yield BatchInput(name, Path(name_of_input(name)), not is_opened_by_name(name) and is_still(path))
        return
    begin = Path(path.resolve().name) if several else Path()
    for file, is_picture in folder_files(path, request, output_for(path), say):
        yield BatchInput(str(file), begin / file.relative_to(path), is_picture, path)


def folder_files(
    folder: Path, request: Request, output: Path, say: Callable[[str], None]
) -> list[tuple[Path, bool]]:
    """The folder's films and pictures in order, told by content, with whether each is a picture.

    Raises ``InputNotFoundError`` where there is none.
    """
    files = sorted(files_of(folder, output, request.recursive))
    told = {path: picture_or_film(path, request.protocols) for path in files}
    kinds = [(path, kind) for path, kind in told.items() if kind is not None]
    if not kinds:
        deeper = "" if request.recursive else "; --recursive looks into its sub-folders"
        raise InputNotFoundError(f"the folder {folder} holds no film or picture{deeper}")
    others = [path for path, kind in told.items() if kind is None]
    lists = [path for path in others if names_others(path)]
    for path in lists:
        say(f"note: {path} {LEFT_OUT_LIST}")
    if len(others) > len(lists):
        say(f"note: files in {folder} that are no films or pictures, left out: {len(others) - len(lists)}")
    return kinds


def files_of(folder: Path, output: Path, recursive: bool) -> Iterator[Path]:
    """The folder's files, and with ``recursive`` those below; nothing hidden or unfinished, and not the output's."""
    own = output.resolve()
    for place, inner, names in os.walk(folder):
        inner[:] = [
            name for name in inner if recursive and _counts(name) and (Path(place) / name).resolve() != own
        ]
        yield from (Path(place) / name for name in names if _counts(name) and (Path(place) / name).is_file())


def _counts(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() not in UNFINISHED


def picture_or_film(path: Path, protocols: Collection[str]) -> bool | None:
    """True for a picture, False for a film, None for anything else; what a damaged file is, its name says.

    A list of other files is a film where ``protocols`` let it open them. A file that goes meanwhile is nothing.
    """
    try:
        if is_still(path) or (is_picture_name(path) and path.stat().st_size == 0):
            return True
        if path.suffix.lower() in FILM_SUFFIXES:
            return False
        with open_input(str(path), protocols=protocols) as container:
            picture_stream(path.name, container)
            return None if container.format.name in TEXT_DEMUXERS else False
    except (EdgeSRError, OSError):
        return None
