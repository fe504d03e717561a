"""The pixel aspect in a finished Matroska or WebM file: FFmpeg's muxer takes it from a field that PyAV does not set.

H.264 and H.265 say it themselves; of other codecs the container alone can. Room is made for it in the header (IETF RFC
9559) from the gap that the muxer leaves behind its list of the file's parts.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from edge_sr.video.film.matroska import (
    HEADER,
    SEGMENT,
    TRACK,
    TRACKS,
    VIDEO,
    element,
    elements,
    spans,
)

SEEK_HEAD, SEEK, POSITION = b"\x11\x4d\x9b\x74", b"\x4d\xbb", b"\x53\xac"
VOID, CHECKSUM = b"\xec", b"\xbf"
PIXEL_WIDTH, PIXEL_HEIGHT = b"\xb0", b"\xba"
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
# StereoMode, and what FFmpeg divides the shown size by, which then is that of one eye's picture.
STEREO, OF_ONE_EYE = b"\x53\xb8", {1: (2, 1), 11: (2, 1), 2: (1, 2), 3: (1, 2)}
PIXEL_ASPECT = "the pixel aspect"
# Of an empty element whose size takes eight bytes.
VOID_HEAD = 9


def says_aspect(film: str | BinaryIO, aspect: Fraction) -> bool:
    """Whether players learn how wide a pixel is: from container or codec, or as it is square."""
    import av

    if aspect == 1:
        return True
    with av.open(film, metadata_errors="replace") as file:
        return bool(file.streams.video[0].sample_aspect_ratio == aspect)


def write_aspect(film: Path, aspect: Fraction) -> bool:
    """Has the file say how large its picture is shown, with pixels of that aspect; False where it has no room."""
    with film.open("r+b") as file:
        header = file.read(HEADER)
        begins = next((start for ident, start, _ in spans(header) if ident == SEGMENT), None)
        changed = None if begins is None else _changed(header[begins:], aspect)
        if begins is None or changed is None:
            return False
        file.seek(begins)
        file.write(changed)
    return True


def _changed(data: bytes, aspect: Fraction) -> bytes | None:
    """The parts from the list of them up to the tracks, as long as before."""
    ends, parts = [0], []
    for ident, start, end in spans(data):
        parts.append((ident, data[start:end]))
        ends.append(end)
        if ident == TRACKS:
            break
    kinds = [ident for ident, _ in parts]
    if kinds[:2] != [SEEK_HEAD, VOID] or kinds[-1] != TRACKS:
        return None
    room = ends[-1] - ends[-2]
    tracks = _tracks(parts[-1][1], aspect, room)
    grown = len(tracks) - room
    gap = ends[2] - ends[1] - VOID_HEAD - grown
    listed = _checked(parts[0][1], lambda body: _moved(body, range(ends[2], ends[-1]), grown))
    listing = element(SEEK_HEAD, listed)
    if gap < 0 or len(listing) != ends[1]:
        return None
    void = VOID + b"\x01" + gap.to_bytes(VOID_HEAD - 2, "big") + bytes(gap)
    return listing + void + data[ends[2] : ends[-2]] + tracks


def _tracks(body: bytes, aspect: Fraction, room: int) -> bytes:
    """The tracks, no shorter than ``room``: places further on may take more bytes than the list has for them."""
    made = element(TRACKS, _checked(body, lambda tracks: _shown(tracks, aspect)))
    missing = room - len(made)
    if missing <= 0:
        return made
    filling = element(VOID, bytes(max(0, missing - 2)))
    return element(TRACKS, _checked(body, lambda tracks: _shown(tracks, aspect) + filling))


def _checked(body: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """``body`` changed, behind a new checksum where it had one."""
    first = next(spans(body), None)
    if first is None or first[0] != CHECKSUM:
        return change(body)
    changed = change(body[first[2] :])
    return element(CHECKSUM, zlib.crc32(changed).to_bytes(4, "little")) + changed


def _moved(listed: bytes, moving: range, back: int) -> bytes:
    """The list of parts, those in ``moving`` so many bytes further ahead."""
    return b"".join(
        element(
            ident, b"".join(element(key, _place(key, value, moving, back)) for key, value in elements(body))
        )
        for ident, body in elements(listed)
    )


def _place(key: bytes, value: bytes, moving: range, back: int) -> bytes:
    place = int.from_bytes(value, "big")
    return (place - back).to_bytes(len(value), "big") if key == POSITION and place in moving else value


def _shown(tracks: bytes, aspect: Fraction) -> bytes:
    return b"".join(
        element(ident, _with_display(body, aspect) if ident == TRACK else body)
        for ident, body in elements(tracks)
    )


def _with_display(track: bytes, aspect: Fraction) -> bytes:
    return b"".join(
        element(ident, _display(body, aspect) if ident == VIDEO else body) for ident, body in elements(track)
    )


def _display(video: bytes, aspect: Fraction) -> bytes:
    """In whole pixels, the wider side scaled, as all players understand it."""
    parts = {
        ident: body
        for ident, body in elements(video)
        if ident not in (DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT)
    }
    width, height = (int.from_bytes(parts[ident], "big") for ident in (PIXEL_WIDTH, PIXEL_HEIGHT))
    width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    across, down = OF_ONE_EYE.get(int.from_bytes(parts.get(STEREO, b""), "big"), (1, 1))
    shown = ((DISPLAY_WIDTH, width // across), (DISPLAY_HEIGHT, height // down))
    sizes = [(ident, side.to_bytes(4, "big")) for ident, side in shown]
    return b"".join(element(ident, body) for ident, body in [*parts.items(), *sizes])
