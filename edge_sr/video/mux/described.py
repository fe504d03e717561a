"""A template for the output's picture with mastering display and light levels, which PyAV cannot give a stream itself.

A small Matroska file in memory, whose header says all of it (IETF RFC 9559, section 5.1.4.1.28.16 and on), is opened
like any other: FFmpeg's muxers then write what its stream says, MP4 and MOV as ``mdcv`` and ``clli``.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator
from typing import Any

from edge_sr.video.film.matroska import EBML, SEGMENT, TRACK, TRACKS, VIDEO, element, elements
from edge_sr.video.frames.hdr import HdrDescription

CLUSTER, INFO = b"\x1f\x43\xb6\x75", b"\x15\x49\xa9\x66"
COLOUR = b"\x55\xb0"
MOST_LIGHT, MEAN_LIGHT, DISPLAY = b"\x55\xbc", b"\x55\xbd", b"\x55\xd0"
# Red, green, blue and white, x before y, then the most and the least luminance.
COORDINATES = [bytes([0x55, number]) for number in range(0xD1, 0xD9)]
MOST_LUMINANCE, LEAST_LUMINANCE = b"\x55\xd9", b"\x55\xda"
UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


@contextlib.contextmanager
def described_template(template: Any, packet: Any, description: HdrDescription) -> Iterator[Any]:
    """A stream like ``template`` that is described so; ``packet`` is one of it, for FFmpeg to look at.

    Raises ``ValueError`` or FFmpeg's errors for what Matroska cannot hold.
    """
    import av

    data = _described(_as_matroska(template, packet), description)
    with av.open(io.BytesIO(data), format="matroska") as file:
        yield file.streams.video[0]


def _as_matroska(template: Any, packet: Any) -> bytes:
    import av

    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as file:
        packet.stream = file.add_stream_from_template(template, opaque=True)
        file.mux(packet)
    return memory.getvalue()


def _described(matroska: bytes, description: HdrDescription) -> bytes:
    """The file without the tables that say where things are, for these move."""
    parts = dict(elements(matroska))
    inner = [(ident, body) for ident, body in elements(parts[SEGMENT]) if ident in (INFO, TRACKS, CLUSTER)]
    whole = b"".join(element(ident, body) for ident, body in inner)
    described = _extended(whole, (TRACKS, TRACK, VIDEO, COLOUR), colour_elements(description))
    return element(EBML, parts[EBML]) + SEGMENT + UNKNOWN_SIZE + described


def colour_elements(description: HdrDescription) -> bytes:
    """What Matroska's ``Colour`` holds of the description."""
    found = b""
    if description.light is not None:
        most, mean = (level.to_bytes(4, "big") for level in description.light)
        found += element(MOST_LIGHT, most) + element(MEAN_LIGHT, mean)
    if description.primaries is not None and description.luminance is not None:
        least, most_nits = description.luminance
        named = zip(COORDINATES, description.primaries, strict=True)
        numbers = [*named, (MOST_LUMINANCE, most_nits), (LEAST_LUMINANCE, least)]
        found += element(DISPLAY, b"".join(element(i, struct.pack(">d", float(v))) for i, v in numbers))
    return found


def _extended(data: bytes, path: tuple[bytes, ...], addition: bytes) -> bytes:
    """The elements of ``data`` with ``addition`` at the end of the one that ``path`` leads to, made where it lacks."""
    if not path:
        return data + addition
    parts = list(elements(data))
    if path[0] not in dict(parts):
        parts.append((path[0], b""))
    return b"".join(
        element(ident, _extended(body, path[1:], addition) if ident == path[0] else body)
        for ident, body in parts
    )
