"""Subtitles that are words, from one container's form to another's."""

from __future__ import annotations

import html
import re
from fractions import Fraction
from typing import Any

_OVERRIDE = re.compile(r"\{[^}]*\}")
# The tags of SubRip and WebVTT (W3C, section 3.5), times of words among them: all else between < and > is text.
_TAG = re.compile(
    r"</?(?:(?:[biusc]|ruby|rt)(?:\.[^<>\s]*)?|font(?:\s[^<>]*)?|(?:v|lang)(?:[.\s][^<>]*)?)\s*>"
    r"|<(?:\d+:)?\d\d:\d\d\.\d{3}>",
    re.IGNORECASE,
)
# Codecs whose text has those tags.
_TAGGED = ("subrip", "srt", "webvtt")
# How many fields of an ASS event come before its words, in the packets of a container.
_ASS_FIELDS = 8


def words_of(codec: str, data: bytes) -> str:
    """The words in a subtitle's packet, without styles; ``codec`` by FFmpeg's name."""
    if codec == "mov_text":
        length = int.from_bytes(data[:2], "big")
        return data[2 : 2 + length].decode("utf-8", "replace")
    text = data.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = text.split(",", _ASS_FIELDS)[-1]
        text = _OVERRIDE.sub("", text).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    if codec in _TAGGED:
        text = _TAG.sub("", text)
    if codec == "webvtt":
        text = html.unescape(text)
    return text.replace("\r\n", "\n").strip("\n\0")


def packed_words(codec: str, text: str) -> bytes:
    """The words as a packet of ``codec``: ``mov_text``, ``webvtt`` or ``subrip``."""
    data = (html.escape(text, quote=False) if codec == "webvtt" else text).encode()
    return len(data[:65535]).to_bytes(2, "big") + data[:65535] if codec == "mov_text" else data


class WordsConverter:
    """Packets of one form of subtitles in, packets of another out."""

    def __init__(self, source: str, target: str) -> None:
        self._source, self._target = source, target

    def __call__(self, packet: Any | None) -> list[Any]:
        import av

        if packet is None:
            return []
        data = packed_words(self._target, words_of(self._source, bytes(packet)))
        converted: Any = av.Packet(data)
        converted.time_base = Fraction(packet.time_base)
        converted.pts, converted.dts, converted.duration = packet.pts, packet.pts, packet.duration
        return [converted]
