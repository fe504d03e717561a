"""When frames are shown whose packets only say when they are decoded, as those of AVI do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av
    import av.container

# Codecs whose frames wait for any number of others, or of which a packet may hold two, as of DivX.
REORDERED = ("h264", "hevc", "vvc", "mpeg4")
# AVFMT_FLAG_GENPTS of FFmpeg's avformat.h, which PyAV sets.
MAKES_UP_TIMES = 0x0001


def without_made_up_times(container: av.container.InputContainer) -> av.container.InputContainer:
    """Has FFmpeg make up no times where it would be wrong: it takes each frame for one that waits for one other."""
    contexts: list[Any] = [stream.codec_context for stream in container.streams.video]
    if any(context is not None and context.codec.canonical_name in REORDERED for context in contexts):
        container.flags &= ~MAKES_UP_TIMES
    return container


def with_missing_times(frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
    """Decoded frames; one without a time is shown when the packet that let it go is decoded, as FFmpeg's tools do."""
    for frame in frames:
        if frame.pts is None:
            frame.pts = frame.dts
    return frames
