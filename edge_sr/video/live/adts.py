"""AAC as transport streams carry it: each packet behind a header of its own, which other containers hold once.

Layout of the header: ISO/IEC 13818-7, 6.2.
"""

from __future__ import annotations

LENGTH, LENGTH_WITH_CHECKSUM = 7, 9


def is_adts(packet: bytes) -> bool:
    return len(packet) > LENGTH and packet[0] == 0xFF and packet[1] & 0xF6 == 0xF0


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
    return packet[LENGTH if packet[1] & 1 else LENGTH_WITH_CHECKSUM :]
