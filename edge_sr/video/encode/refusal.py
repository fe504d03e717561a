"""Why an encoder does not open, in FFmpeg's own words: its number says no more than "operation not permitted"."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping

from edge_sr.errors import EdgeSRError, MissingError, OptionError
from edge_sr.sizes import size_text
from edge_sr.video.encode.codecs import Codec

# The oldest driver whose NVENC the FFmpeg in PyAV's wheel speaks to (Video Codec SDK 13.0).
NVENC_DRIVER = 570
# FFmpeg's level is the process's: of two threads that changed it at once, one would put back the other's.
_LEVEL = threading.RLock()


@contextlib.contextmanager
def refusals(codec: Codec, size: tuple[int, int], options: Mapping[str, str]) -> Iterator[None]:
    """An encoder that does not open inside: ``MissingError`` for a GPU's, ``OptionError`` for any other."""
    import av

    with _errors_said() as said:
        try:
            yield
        except (av.error.FFmpegError, ValueError) as error:
            words = "; ".join(" ".join(line.split()) for _, _, line in said) or str(error)
            raise _refusal(codec, size, options, words) from error


@contextlib.contextmanager
def _errors_said() -> Iterator[list[tuple[int, str, str]]]:
    """Fills with FFmpeg's errors in this thread as level, speaker and line; PyAV keeps it quiet otherwise."""
    import av.logging

    with _LEVEL:
        earlier = av.logging.get_level()
        av.logging.set_level(av.logging.ERROR)
        try:
            with av.logging.Capture(local=True) as said:
                yield said
        finally:
            av.logging.set_level(earlier)


def _refusal(codec: Codec, size: tuple[int, int], options: Mapping[str, str], words: str) -> EdgeSRError:
    if codec.is_hardware:
        return MissingError(
            f"--codec {codec.name} does not open here ({words}): it needs an NVIDIA GPU that encodes "
            f"{codec.title}, and driver {NVENC_DRIVER} or newer; use --codec x264"
        )
    ours = {"crf": codec.crf_key.split()[0], "preset": codec.preset_key or ""}
    told = ", ".join(f"{name} {options[key]}" for name, key in ours.items() if key in options)
    return OptionError(f"{codec.name} refuses {size_text(size)}{told and f' with {told}'}: {words}")
