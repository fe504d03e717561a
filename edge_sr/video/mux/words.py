"""Subtitles that are words, from one container's form to another's."""

from __future__ import annotations

import html
import re
from fractions import Fraction
from typing import Any

from edge_sr.video.film.packets import presentation
from edge_sr.video.mux.one_at_a_time import OneAtATime

# Where what follows is drawn, up to a scale of 0 (Aegisub's manual of ASS tags): strokes, no words.
_DRAWING = re.compile(r"\\p(\d+)")
# The tags of SubRip and WebVTT (W3C, section 3.5), times of words among them: all else between < and > is text.
_TAG = re.compile(
    r"</?(?:(?:[biusc]|ruby|rt)(?:\.[^<>\s]*)?|font(?:\s[^<>]*)?|(?:v|lang)(?:[.\s][^<>]*)?)\s*>"
    r"|<(?:\d+:)?\d\d:\d\d\.\d{3}>",
    re.IGNORECASE,
)
# Codecs whose text has those tags.
_TAGGED = ("subrip", "srt", "webvtt")
# How overrides of style begin and, up to a closing brace, are no words; in SubRip players know those of ASS too.
_OVERRIDES = {"ass": "{", "ssa": "{", "subrip": "{\\", "srt": "{\\"}
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
    if codec in _OVERRIDES:
        text = _without_styles(text, _OVERRIDES[codec])
    if codec in ("ass", "ssa"):
        text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    if codec in _TAGGED:
        text = _TAG.sub("", text)
    if codec == "webvtt":
        text = html.unescape(text)
    return text.replace("\r\n", "\n").strip("\n\0")


def _without_styles(text: str, opening: str) -> str:
    words, at, is_drawn = list[str](), 0, False
    while (begins := text.find(opening, at)) >= 0 and (ends := text.find("}", begins)) >= 0:
        words += [] if is_drawn else [text[at:begins]]
        if scales := _DRAWING.findall(text, begins, ends):
            is_drawn = bool(scales[-1].strip("0"))
        at = ends + 1
    return "".join(words if is_drawn else [*words, text[at:]])


def packed_words(codec: str, text: str) -> bytes:
    """The words as a packet of ``codec``: ``mov_text``, ``webvtt`` or ``subrip``."""
    data = (html.escape(text, quote=False) if codec == "webvtt" else text).encode()
    return len(data[:65535]).to_bytes(2, "big") + data[:65535] if codec == "mov_text" else data


class WordsConverter:
    """Packets of one form of subtitles in, packets of another out; those without words are left out."""

    def __init__(self, source: str, target: str) -> None:
        self._source, self._target = source, target
        self._one = OneAtATime()
        self._unit = Fraction(1, 1000)

    def __call__(self, packet: Any | None) -> list[Any]:
        """The packets that are ready; all that are left for None."""
        if packet is None:
            return [self._packet(*shown) for shown in self._one.rest()]
        self._unit = Fraction(packet.time_base)
        words = words_of(self._source, bytes(packet))
        if not words:
            return []
        begins = presentation(packet) or 0
        if self._target != "mov_text":
            return [self._packet(begins, packet.duration, words)]
        return [self._packet(*shown) for shown in self._one.add(begins, packet.duration or 0, words)]

    def _packet(self, begins: int, lasts: int, words: str) -> Any:
        import av

        packet: Any = av.Packet(packed_words(self._target, words))
        packet.time_base = self._unit
        packet.pts, packet.dts, packet.duration = begins, begins, lasts
        return packet
