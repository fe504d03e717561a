"""Sound that is copied: without what an edit list cuts away, every packet with its length, gaps filled with silence.

The latter of PCM in MP4 and MOV, which keep it without times: its samples follow one upon another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from edge_sr.video.film.packets import presentation

# Codecs of a fixed number of bytes a sample or block; of the latter a block of zeros is silence, too.
_PCM = re.compile(r"pcm_(?:[suf](\d+)(?:le|be)?|alaw|mulaw)")
_BLOCKS = ("adpcm_ms", "adpcm_ima_wav")
# The code of silence, where that is not zero.
_SILENT = {"pcm_alaw": b"\xd5", "pcm_mulaw": b"\xff", "pcm_u8": b"\x80"}
# Seconds. Containers round times by less than the least gap; one longer than the longest is damage.
LEAST_GAP, LONGEST_GAP = Fraction(1, 20), 3600


class SoundCopier:
    """Packets as they are, but those that an edit list cuts away, which not every container can mark.

    The last one before the sound begins stays: a decoder needs it to begin well. A packet that does not say how long
    it lasts, lasts until the next, and the last one as long as the one before: MP4 would end the sound at its time.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._held: Any = None
        self._latest = 0

    def __call__(self, packet: Any | None) -> Iterator[Any]:
        """The packets that are ready; all that are left for None."""
        if packet is not None and packet.is_discard and self._has_begun:
            return
        held, self._held = self._held, None
        if held is not None and not _is_cut(held, packet):
            yield self._lasting(held, packet)
        if packet is None:
            return
        self._has_begun = not packet.is_discard
        if packet.is_discard or not packet.duration:
            self._held = packet
        else:
            yield packet

    def _lasting(self, packet: Any, following: Any | None) -> Any:
        if not packet.duration:
            if following is not None and None not in (packet.dts, following.dts):
                self._latest = max(0, following.dts - packet.dts)
            packet.duration = self._latest
        return packet


def _is_cut(held: Any, following: Any | None) -> bool:
    return bool(held.is_discard and (following is None or following.is_discard))


def closes_gaps(stream: Any) -> bool:
    """Whether MP4 and MOV keep this sound without the times of its packets."""
    return bool(_PCM.fullmatch(stream.codec_context.name)) or stream.codec_context.name in _BLOCKS


class GapFiller:
    """Packets as they are, with silence where one begins later than those before it have lasted.

    One that begins too late to be believed is ``lost``.
    """

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        self._codec, self._rate = context.name, context.sample_rate
        match = _PCM.fullmatch(self._codec)
        # Bytes of a sample of all channels; 0 for codecs of blocks.
        self._frame = int(match[1] or 8) // 8 * context.layout.nb_channels if match else 0
        self._end: Fraction | None = None
        self.lost = 0

    def __call__(self, packet: Any | None) -> Iterator[Any]:
        if packet is None:
            return
        begins = Fraction((presentation(packet) or 0) * packet.time_base)
        if self._end is not None and begins - self._end > LONGEST_GAP:
            self.lost += 1
            return
        if self._end is not None and begins - self._end > LEAST_GAP:
            yield from self._silence(packet, begins - self._end)
        self._end = (begins if self._end is None else self._end) + self._length(packet)
        yield packet

    def _length(self, packet: Any) -> Fraction:
        if self._frame:
            return Fraction(packet.size // self._frame, self._rate)
        return Fraction((packet.duration or 0) * packet.time_base)

    def _silence(self, packet: Any, gap: Fraction) -> Iterator[Any]:
        """Packets of a second, or as long as the one that follows, for ``gap`` seconds."""
        assert self._end is not None
        each = Fraction(1) if self._frame else self._length(packet)
        while gap > 0 and each > 0:
            length = min(each, gap) if self._frame else each
            count = round(length * self._rate) * self._frame if self._frame else packet.size
            if count == 0 or (not self._frame and gap < each):
                return
            yield self._silent(packet, count, length)
            self._end += length
            gap -= length

    def _silent(self, packet: Any, count: int, length: Fraction) -> Any:
        import av

        assert self._end is not None
        silent: Any = av.Packet(_SILENT.get(self._codec, b"\0") * count)
        silent.time_base = packet.time_base
        silent.pts = silent.dts = round(self._end / packet.time_base)
        silent.duration = max(1, round(length / packet.time_base))
        return silent
