"""A TIFF that keeps each channel for itself, as files of one grey channel, which Pillow reads in every compression."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_sr.video.image.files.tiff_pages import Form, form_of, number_at
from edge_sr.video.image.files.tiff_tags import (
    BITS,
    COMPRESSION,
    EXTRA_SAMPLES,
    GREY,
    HEIGHT,
    PHOTOMETRIC,
    PLANAR,
    RGB,
    SAMPLES_PER_PIXEL,
    STRAIGHT,
    TILE_WIDTH,
    WHITE_IS_ZERO,
    WIDTH,
)

# How a channel is kept, alike for all: with the above, the order of bits, rows of a strip, differences, the height of a
# tile and JPEG's tables. Then where the pieces of each channel lie, and how long they are, one channel after another.
ALIKE = {WIDTH, HEIGHT, COMPRESSION, TILE_WIDTH, 266, 278, 317, 323, 347}
OFFSETS, PIECES = {273, 324}, {273, 279, 324, 325}
# Numbers by their type, as ``struct`` names them.
NUMBERS = {1: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}
SHORT, LONG, LONG8 = 3, 4, 16

Entries = dict[int, tuple[int, tuple[int, ...]]]


def is_read_by_planes(tags: Any) -> bool:
    """Whether its ``tags`` say grey or RGB in planes of 8 or 16 bits of which Pillow does not make the picture.

    Likewise grey of 16 bits that counts from white, and unpacked grey in a single plane, also of 1 bit.
    """
    channels, kind = tags.get(SAMPLES_PER_PIXEL, 1), tags.get(PHOTOMETRIC)
    bits, interleaved = set(tags.get(BITS, ())), tags.get(PLANAR, 1) == 1
    if not all(isinstance(tags.get(side), int) for side in (WIDTH, HEIGHT)):
        return False
    if channels == 1:  # of which Pillow knows one byte order, and in a plane neither bytes' nor white's
        plain = not interleaved and tags.get(COMPRESSION, 1) == 1 and bits in ({1}, {8}, {16})
        return kind in GREY and (plain or (bits == {16} and kind == WHITE_IS_ZERO))
    if interleaved or bits not in ({8}, {16}):
        return False
    if kind != RGB:
        return kind in GREY
    by_pillow = bits == {8} and tags.get(EXTRA_SAMPLES, ()) in ((), (STRAIGHT,))
    return channels >= 3 and not by_pillow


def planes(path: Path, channels: int) -> Iterator[io.BytesIO]:
    """The first so many channels, each as a TIFF of its own, one at a time as each is as long as the file.

    Raises ``ValueError``, ``LookupError``, ``ArithmeticError`` or ``struct.error`` where the directory is none.
    """
    file = path.read_bytes()
    form = form_of(file[:8])
    if form is None:
        raise ValueError("it is no TIFF")
    found = _entries(file, form)
    for number in range(channels):
        yield io.BytesIO(with_directory(file, form, _of_channel(found, number)))


def _entries(file: bytes, form: Form) -> Entries:
    """Type and numbers of the first directory's entries, of those that are handed on."""
    stored, room = io.BytesIO(file), struct.calcsize(form.order + form.pointer)
    place = number_at(stored, form, form.first, form.pointer)
    begin = place + struct.calcsize(form.order + form.count)
    found: Entries = {}
    for index in range(number_at(stored, form, place, form.count)):
        at = begin + index * form.entry
        tag, kind, count = struct.unpack_from(form.order + "HH" + form.pointer, file, at)
        if tag not in ALIKE | PIECES | {BITS, SAMPLES_PER_PIXEL}:
            continue
        layout, value = f"{form.order}{count}{NUMBERS[kind]}", at + form.entry - room
        if struct.calcsize(layout) > room:
            value = number_at(stored, form, value, form.pointer)
        wide = LONG8 if form.pointer == "Q" else LONG
        found[tag] = wide if tag in OFFSETS else kind, struct.unpack_from(layout, file, value)
    return found


def _of_channel(found: Entries, number: int) -> Entries:
    """One channel as grey from black to white."""
    channels = found.get(SAMPLES_PER_PIXEL, (SHORT, (1,)))[1][0]
    kept = {tag: entry for tag, entry in found.items() if tag in ALIKE}
    for tag in PIECES & found.keys():
        kind, numbers = found[tag]
        each = len(numbers) // channels
        kept[tag] = kind, numbers[number * each : (number + 1) * each]
    said = {BITS: found[BITS][1][0], PHOTOMETRIC: 1, SAMPLES_PER_PIXEL: 1, PLANAR: 1}
    return {**kept, **{tag: (SHORT, (value,)) for tag, value in said.items()}}


def with_directory(file: bytes, form: Form, entries: Entries) -> bytes:
    """The file with a directory between its header and the rest, so that no piece behind the file's end lies in it."""
    start = form.first + struct.calcsize(form.order + form.pointer)
    room = len(_directory(form, entries, start))
    moved = {
        tag: (kind, tuple(place + room for place in places) if tag in OFFSETS else places)
        for tag, (kind, places) in entries.items()
    }
    led = struct.pack(form.order + form.pointer, start)
    return b"".join([file[: form.first], led, _directory(form, moved, start), memoryview(file)[start:]])


def _directory(form: Form, entries: Entries, start: int) -> bytes:
    """A directory that leads to no other, of even length, to stand at ``start``."""
    end = struct.pack(form.order + form.pointer, 0)
    count = struct.pack(form.order + form.count, len(entries))
    spilt, table, behind = b"", b"", start + len(count) + len(entries) * form.entry + len(end)
    for tag, (kind, numbers) in sorted(entries.items()):
        value = struct.pack(f"{form.order}{len(numbers)}{NUMBERS[kind]}", *numbers)
        if len(value) > len(end):
            place = struct.pack(form.order + form.pointer, behind + len(spilt))
            spilt, value = spilt + value + bytes(len(value) % 2), place
        table += struct.pack(form.order + "HH" + form.pointer, tag, kind, len(numbers)) + value.ljust(
            len(end), b"\0"
        )
    return count + table + end + spilt
