"""Which layout the channels of sound have: as the film says, as is usual for their count, as an encoder takes them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

# What sound is taken for that only says how many channels it has.
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
OPUS_RATE = 48_000
# AAC's sampling rates; other sound is brought to the highest.
AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})


def usual_layout(layout: Any) -> str | None:
    """The usual layout of as many channels, where ``layout`` says no more than how many; else None."""
    return LAYOUTS.get(layout.nb_channels) if layout.name.endswith("channels") else None


def encoded_rate(codec: str, context: Any) -> int:
    """Samples a second of the sound of ``context`` in ``codec``: its own where the codec has them."""
    rate = int(context.sample_rate or OPUS_RATE)
    return OPUS_RATE if codec == "libopus" or (codec == "aac" and rate not in AAC_RATES) else rate


def encoded_layout(codec: str, context: Any) -> str:
    """The sound's own channel layout where the codec has it, else a usual one with room for all, else stereo."""
    layout = context.layout
    own = usual_layout(layout) or layout.name
    roomy = (name for count, name in LAYOUTS.items() if count >= layout.nb_channels)
    # What is made of a layout without a place for low frequencies lacks them.
    fitting = (name for name in roomy if name.endswith(".1") or not _has_lfe(layout))
    rate = encoded_rate(codec, context)
    return next((name for name in (own, *fitting) if _encodes(codec, rate, name)), "stereo")


def _has_lfe(layout: Any) -> bool:
    return any(channel.name.startswith("LFE") for channel in layout.channels)


def channels_of(layout: str) -> int:
    """How many channels a layout has, by FFmpeg's name."""
    import av

    return int(av.AudioLayout(layout).nb_channels)


def _encodes(codec: str, rate: int, layout: str) -> bool:
    import av

    trial: Any = av.CodecContext.create(codec, "w")
    try:
        trial.sample_rate, trial.layout = rate, layout
        trial.format, trial.time_base = trial.codec.audio_formats[0], Fraction(1, rate)
        trial.open()
    except (av.error.FFmpegError, ValueError):
        return False
    return True
