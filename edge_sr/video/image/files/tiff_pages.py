"""The pages of a TIFF: each alone in a copy of the file, and several files joined to one.

A TIFF is a chain of directories, one a page (TIFF 6.0, section 2; BigTIFF alike with 64-bit numbers). A copy whose
header leads to one of them, which leads to none, is a file of that page alone, whatever is in it.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

SUBFILE, SHORT = 254, 3
# Bits of the tag above: a smaller copy of another page, and a mask.
REDUCED_OR_MASK = 1 | 4
MOST_PAGES = 10_000


@dataclasses.dataclass(frozen=True)
class Form:
    """How numbers are written: classic or BigTIFF, of either byte order. ``first``: the header's pointer."""

    order: str
    pointer: str
    count: str
    entry: int
    first: int


@dataclasses.dataclass(frozen=True)
class Page:
    """Where a page's directory lies and where it has the pointer to the next one."""

    place: int
    next_pointer: int


@dataclasses.dataclass(frozen=True)
class Pages:
    """The pages of a file without thumbnails and masks, in order."""

    form: Form
    pages: tuple[Page, ...]

    def __len__(self) -> int:
        return len(self.pages)

    def leave_only(self, number: int, copy: Path) -> None:
        """Makes ``copy``, which holds what the file does, one of that page alone. May be done again and again."""
        page = self.pages[number]
        with copy.open("r+b") as file:
            _put(file, self.form, self.form.first, page.place)
            _put(file, self.form, page.next_pointer, 0)


def read_pages(path: Path) -> Pages | None:
    """The pages of a TIFF; None for any other file, and for one whose chain of pages is broken."""
    try:
        with path.open("rb") as file:
            form = form_of(file.read(8))
            return None if form is None else Pages(form, tuple(_chain(file, form)))
    except (OSError, ValueError, struct.error):
        return None


def join(files: Iterable[Path], target: Path) -> None:
    """One TIFF of all the files, in order."""
    from PIL.TiffImagePlugin import AppendingTiffWriter

    writer: Any = AppendingTiffWriter(str(target), new=True)
    with writer:
        for file in files:
            writer.write(file.read_bytes())
            writer.newFrame()


def form_of(head: bytes) -> Form | None:
    """By the first eight bytes of a file; None of one that is no TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    magic = struct.unpack(order + "H", head[2:4])[0]
    return {42: Form(order, "I", "H", 12, 4), 43: Form(order, "Q", "Q", 20, 8)}.get(magic)


def _chain(file: BinaryIO, form: Form) -> list[Page]:
    found: list[Page] = []
    seen: set[int] = set()
    place = number_at(file, form, form.first, form.pointer)
    while place and place not in seen and len(seen) < MOST_PAGES:
        seen.add(place)
        count = number_at(file, form, place, form.count)
        entries = place + struct.calcsize(form.order + form.count)
        after = entries + count * form.entry
        following = number_at(file, form, after, form.pointer)
        if not found or not _subfile(file, form, entries, count) & REDUCED_OR_MASK:
            found.append(Page(place, after))
        place = following
    return found


def _subfile(file: BinaryIO, form: Form, entries: int, count: int) -> int:
    """The tag that says what a directory's picture is; entries are in the order of their tags."""
    for index in range(min(count, 8)):
        at = entries + index * form.entry
        if number_at(file, form, at, "H") == SUBFILE:
            kind = "H" if number_at(file, form, at + 2, "H") == SHORT else "I"
            return number_at(file, form, at + form.entry - struct.calcsize(form.order + form.pointer), kind)
    return 0


def number_at(file: BinaryIO, form: Form, place: int, kind: str) -> int:
    file.seek(place)
    layout = form.order + kind
    return int(struct.unpack(layout, file.read(struct.calcsize(layout)))[0])


def _put(file: BinaryIO, form: Form, place: int, value: int) -> None:
    file.seek(place)
    file.write(struct.pack(form.order + form.pointer, value))
