"""Picture formats that are written: their names, what each can hold, and how large it may be."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edge_sr.errors import OptionError
from edge_sr.machine.optional import require
from edge_sr.sizes import size_text


@dataclasses.dataclass(frozen=True)
class Format:
    """``name`` as Pillow has it; ``largest_side`` in pixels; ``saving`` are Pillow's own options.

    ``grey``: it has grey pictures; ``deep``: it takes 16 bits, or nearly, of any picture; ``hdr``: it takes an HDR
    picture in ten bits or more; ``needs``: a package.
    """

    name: str
    suffixes: tuple[str, ...]
    largest_side: int
    alpha: bool = True
    grey: bool = True
    deep: bool = False
    hdr: bool = False
    needs: str = ""
    saving: dict[str, Any] = dataclasses.field(default_factory=dict)


# The largest sides are those that Pillow's libraries write and read again: libjpeg's 65,500, libavif's 32,768.
FORMATS = (
    Format("PNG", (".png",), (1 << 31) - 1, deep=True, hdr=True),
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jfif", ".jpe"),
        65_500,
        alpha=False,
        saving={"quality": 95, "subsampling": 0},
    ),
    Format("WEBP", (".webp",), 16_383, grey=False, saving={"quality": 95}),
    Format("TIFF", (".tif", ".tiff"), (1 << 31) - 1, deep=True, hdr=True),
    Format("HEIF", (".heic", ".heif"), 8_192, grey=False, deep=True, hdr=True, needs="pillow_heif"),
    Format("AVIF", (".avif",), 32_768, grey=False, hdr=True, saving={"quality": 90, "subsampling": "4:4:4"}),
)
BY_SUFFIX = {suffix: entry for entry in FORMATS for suffix in entry.suffixes}
# A picture of a format that needs a package becomes a PNG where no name was given.
BY_NAME = {entry.name: entry for entry in FORMATS if not entry.needs} | {"MPO": FORMATS[1]}


def output_format(path: Path) -> Format:
    """The format of an output's name; ``OptionError`` lists those that are written."""
    found = BY_SUFFIX.get(path.suffix.lower())
    if found is None:
        raise OptionError(f"a picture is written as one of {', '.join(BY_SUFFIX)}, found {path.name}")
    return found


def check_size(path: Path, size: tuple[int, int]) -> None:
    """``OptionError`` when a picture of ``size`` does not fit into the format that ``path`` names.

    ``MissingError`` for a format that needs a package.
    """
    entry = output_format(path)
    if entry.needs:
        require(entry.needs, f"writing {path.name}")
    if max(size) > entry.largest_side:
        raise OptionError(
            f"{path.name} would be {size_text(size)}, and {entry.name} holds at most {entry.largest_side:,} pixels "
            "a side: write it as .png or .tif with -o, or ask for less"
        )


def suffix_for(source: Path, content: str, *, deep: bool) -> str:
    """The suffix of the output for a source of the format ``content``: its own where that can hold it."""
    entry = BY_NAME.get(content)
    if entry is None or (deep and not entry.deep):
        return ".png"
    return source.suffix if BY_SUFFIX.get(source.suffix.lower()) is entry else entry.suffixes[0]
