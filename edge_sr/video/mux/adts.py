"""AAC as transport streams carry it, a header before each packet, to AAC as files hold it, described once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_sr.video.opening import open_input


def is_undescribed_aac(stream: Any) -> bool:
    """Whether each packet describes the sound itself, which a muxer that cannot seek has no use for."""
    context = stream.codec_context
    return context is not None and context.name == "aac" and not context.extradata


class HeaderRemover:
    """Packets without their ADTS headers; those with a damaged one are ``lost``.

    ``config`` describes the track ``index`` of ``source`` (AudioSpecificConfig), as its first whole packet has it;
    empty where no packet has a header.
    """

    def __init__(self, source: str, index: int, protocols: frozenset[str]) -> None:
        from av.bitstream import BitStreamFilterContext

        self.lost, self.config = 0, b""
        with open_input(source, protocols=protocols) as container:
            stream = container.streams[index]
            self._filter = BitStreamFilterContext("aac_adtstoasc", stream)
            # Its first packet carries the description, which muxers would write a second time, in another's place.
            for packet in container.demux(stream):
                if packet.size and (bare := list(self(packet))):
                    self.config = bytes(bare[0].get_sidedata("new_extradata") or b"")
                    break
        self.lost = 0

    def __call__(self, packet: Any | None) -> Iterator[Any]:
        """The packets that are ready; all that are left for None."""
        import av

        try:
            yield from self._filter.filter(packet)
        except av.error.FFmpegError:
            self.lost += 1
