"""What a Matroska file's header says that FFmpeg does not hand on (IETF RFC 9559)."""

from __future__ import annotations

from collections.abc import Iterator

EBML, SEGMENT, TRACKS = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b"
TRACK, VIDEO = b"\xae", b"\xe0"
HEADER = 1 << 20


def elements(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each element's number and content; one of unknown size goes to the end, as does one that is cut short."""
    for ident, start, end in spans(data):
        yield ident, data[start:end]


def spans(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """As above, but where the content begins and ends."""
    place = 0
    while place < len(data):
        ident = data[place : place + 9 - data[place].bit_length()]
        place += len(ident)
        if place >= len(data):
            return
        length = 9 - data[place].bit_length()
        size = int.from_bytes(data[place : place + length], "big") & ((1 << 7 * length) - 1)
        place += length
        end = len(data) if size == (1 << 7 * length) - 1 else place + size
        yield ident, place, end
        place = end


def element(ident: bytes, body: bytes) -> bytes:
    """An element of that number and content, its size in as few bytes as can be."""
    length = next(bytes_ for bytes_ in range(1, 9) if len(body) < (1 << 7 * bytes_) - 1)
    return ident + (1 << 7 * length | len(body)).to_bytes(length, "big") + body
