"""Closed captions (CTA-708 in ATSC A/53) put back into H.264 and H.265 packets, frame by frame."""

from __future__ import annotations

import re
from typing import Any

# Encoders whose packets are byte streams of NAL units that captions can be put into.
WITH_CAPTIONS = {"x264": "h264", "x265": "hevc"}
# ITU-T T.35: the United States, ATSC; then the kind of user data, captions.
_HEAD = b"\xb5\x00\x31GA94\x03"
_REGISTERED_USER_DATA = 4
_START = re.compile(rb"\x00\x00\x01")
_PROTECTED = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def with_captions(packet: Any, captions: bytes, codec: str) -> Any:
    """A packet like ``packet`` with the captions, triplets of bytes, before its first slice; ``codec`` is FFmpeg's."""
    import av

    data = bytes(packet)
    at = _first_slice(data, codec)
    unit = b"\x00\x00\x00\x01" + _unit_header(codec) + _escaped(_message(captions))
    larger: Any = av.Packet(data[:at] + unit + data[at:])
    larger.pts, larger.dts, larger.time_base = packet.pts, packet.dts, packet.time_base
    larger.is_keyframe = packet.is_keyframe
    larger.stream = packet.stream
    return larger


def _message(captions: bytes) -> bytes:
    """The SEI message and what ends the unit."""
    count = min(len(captions) // 3, 31)
    payload = _HEAD + bytes([0x40 | count, 0xFF]) + captions[: count * 3] + b"\xff"
    return bytes([_REGISTERED_USER_DATA, len(payload)]) + payload + b"\x80"


def _unit_header(codec: str) -> bytes:
    """Supplemental enhancement information: type 6 of H.264, a prefix of type 39 in H.265."""
    return b"\x06" if codec == "h264" else b"\x4e\x01"


def _escaped(data: bytes) -> bytes:
    """With the bytes that keep a start code from turning up inside."""
    return _PROTECTED.sub(b"\x00\x00\x03", data)


def _first_slice(data: bytes, codec: str) -> int:
    """Where the start code of the first coded slice begins."""
    for match in _START.finditer(data):
        if match.end() < len(data) and _is_slice(data[match.end()], codec):
            start = match.start()
            return start - 1 if start and data[start - 1] == 0 else start
    return len(data)


def _is_slice(header: int, codec: str) -> bool:
    return 1 <= header & 0x1F <= 5 if codec == "h264" else (header >> 1) & 0x3F < 32
