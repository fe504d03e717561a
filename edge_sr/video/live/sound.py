"""How a source's sound is coded, so that its packets can be copied.

AAC in transport streams has a header of its own before each packet (ISO/IEC 13818-7, 6.2), which other containers hold
once.
"""

from __future__ import annotations

import dataclasses
import io
from typing import Any

AAC = "aac"
HEADER, HEADER_WITH_CHECKSUM = 7, 9
# What is found again in MPEG-TS, by FFmpeg's names: its muxer takes all else too, as data that nobody plays.
SOUND_IN_TRANSPORT_STREAMS = frozenset(
    {"aac", "aac_latm", "ac3", "dts", "eac3", "mp2", "mp3", "opus", "s302m", "truehd"}
)


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
        name = self._stream.codec_context.codec.canonical_name
        if container.format.name == "mpegts" and name not in SOUND_IN_TRANSPORT_STREAMS:
            raise ValueError(f"{name} in MPEG-TS")
        stream = container.add_stream_from_template(self._stream)
        if self.coding.config:
            stream.codec_context.extradata = self.coding.config
        return stream

    def payload(self, packet: bytes) -> bytes:
        """The packet as all containers take it, without a transport stream's header."""
        return without_header(packet) if self.coding.codec.startswith(AAC) else packet


def is_adts(packet: bytes) -> bool:
    return len(packet) > HEADER and packet[0] == 0xFF and packet[1] & 0xF6 == 0xF0


def audio_config(packet: bytes) -> bytes:
    """The two bytes that describe the stream (AudioSpecificConfig) from one packet's header."""
    profile, rate = packet[2] >> 6, packet[2] >> 2 & 15
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    return ((profile + 1) << 11 | rate << 7 | channels << 3).to_bytes(2, "big")


def without_header(packet: bytes) -> bytes:
    """The packet's sound alone; a packet without a header comes back as it is."""
    if not is_adts(packet):
        return packet
    # The last bit of the second byte says that there is no checksum.
    return packet[HEADER if packet[1] & 1 else HEADER_WITH_CHECKSUM :]
