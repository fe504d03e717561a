"""How a source's sound is coded, so that its packets can be copied."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

from edge_sr.video.live.adts import audio_config, is_adts, without_header

AAC = "aac"


@dataclasses.dataclass(frozen=True)
class SoundCoding:
    """What must be alike for packets of two streams to follow each other."""

    codec: str
    rate: int
    channels: int
    config: bytes

    def __str__(self) -> str:
        return f"{self.codec}, {self.rate} Hz, {self.channels} channels"


def read_coding(stream: Any, packet: bytes) -> SoundCoding:
    """The coding of one packet of the stream; AAC of transport streams says it in each of them."""
    context = stream.codec_context
    config = bytes(context.extradata or b"")
    # FLAC's packets begin with the same bits.
    if context.name.startswith(AAC) and is_adts(packet):
        config = audio_config(packet)
    return SoundCoding(context.name, context.sample_rate or 0, context.layout.nb_channels, config)


class SoundTrack:
    """A stream's codec parameters, which outlive the source that it belongs to."""

    def __init__(self, stream: Any, packet: bytes) -> None:
        import av

        self.coding = read_coding(stream, packet)
        self._holder = av.open(io.BytesIO(), "w", format="null")
        self._stream = self._holder.add_stream_from_template(stream)

    def add_to(self, container: Any) -> Any:
        """A stream of an output for such packets, as ``payload`` gives them.

        ``ValueError`` or FFmpeg's errors where its format does not hold them.
        """
        stream = container.add_stream_from_template(self._stream)
        if self.coding.config:
            stream.codec_context.extradata = self.coding.config
        return stream

    def payload(self, packet: bytes) -> bytes:
        """The packet as all containers take it, without a transport stream's header."""
        return without_header(packet) if self.coding.codec.startswith(AAC) else packet
