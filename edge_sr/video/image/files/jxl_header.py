"""How deep a JPEG XL's samples are (ISO/IEC 18181-1, annex D), which its reader does not tell."""

from __future__ import annotations

from pathlib import Path

from edge_sr.video.boxes import boxes_in

CODESTREAM = b"\xff\x0a"
USUAL = 8
# A number's bits by the two that stand before it, of sizes; and depths, of which the fourth counts from 1 in 6 bits.
SIZES = (9, 13, 18, 30)
WHOLE, FLOATING, LONGEST = (8, 10, 12), (32, 16, 24), 6


def bits_of(path: Path) -> int:
    """Bits of a colour's sample, 8 where the header says nothing or speaks of an animation or a preview."""
    return _depth(_Bits(_codestream(path)))


def _codestream(path: Path) -> bytes:
    """Its beginning, behind the signature."""
    with path.open("rb") as file:
        head = file.read(64)
        if head.startswith(CODESTREAM):
            return head[2:]
        for kind, _ in boxes_in(file):
            if kind in (b"jxlc", b"jxlp"):
                # A part begins with its number.
                return file.read(64)[2 if kind == b"jxlc" else 6 :]
    return b""


class _Bits:
    """Numbers from the lowest bit of each byte on; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data, "little")

    def number(self, bits: int) -> int:
        value = self._left & ((1 << bits) - 1)
        self._left >>= bits
        return value


def _depth(bits: _Bits) -> int:
    _pass_size(bits)
    if bits.number(1):  # all is usual
        return USUAL
    if bits.number(1):
        bits.number(3)  # the orientation
        if bits.number(1):
            _pass_size(bits)
        if bits.number(2):
            return USUAL
    known = FLOATING if bits.number(1) else WHOLE
    kind = bits.number(2)
    return known[kind] if kind < len(known) else 1 + bits.number(LONGEST)


def _pass_size(bits: _Bits) -> None:
    small = bits.number(1)
    _pass_side(bits, small)
    if bits.number(3) == 0:  # else one of seven ratios
        _pass_side(bits, small)


def _pass_side(bits: _Bits, small: int) -> None:
    bits.number(5 if small else SIZES[bits.number(2)])
