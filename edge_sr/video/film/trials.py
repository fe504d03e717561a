"""Whether a container holds a track: tried, for the muxer alone knows."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.files.drafts import scratch_folder
from edge_sr.video.encode.containers import Container
from edge_sr.video.film.tags import copy_stream
from edge_sr.video.mux.output import open_output
from edge_sr.video.opening import open_made

# So many packets of a film are looked at for the first of each track.
SOON = 1000


class Trials:
    """Trials of one of ``streams`` each in a file of its own, which goes nowhere.

    ``first``: the first packet of each track of sound or data, of those that begin soon.
    """

    def __init__(self, source: Any, streams: Iterable[Any], container: Container) -> None:
        self._container = container
        wanted = {stream.index for stream in streams if stream.type in ("audio", "data")}
        self.first = _first_packets(source, wanted)

    def hold(self, stream: Any) -> bool:
        if stream.type == "data":
            return self._comes_back(stream)
        return self._tried(Path(os.devnull), stream, tee=False)

    def _comes_back(self, stream: Any) -> bool:
        """MP4's muxer writes tracks of data that make the whole file unreadable, as of timed ID3."""
        import av

        try:
            with scratch_folder() as folder:
                trial = folder / "trial"
                return self._tried(trial, stream, tee=False) and _opens(trial)
        except (av.error.FFmpegError, OSError):
            return False

    def tee_holds(self, stream: Any) -> bool:
        """Asks the muxer itself: PyAV asks FFmpeg's lists first, which lack what some muxers write all the same.

        Of sound the muxer does not always tell that it cannot describe it, as MOV's of WMA: that is read back.
        """
        if stream.index not in self.first:
            return self._tried(Path(os.devnull), stream, tee=True)
        try:
            with scratch_folder() as folder:
                return self._tried(folder / "trial", stream, tee=True) and _is_described(folder / "trial")
        except OSError:
            return False

    def _tried(self, path: Path, stream: Any, *, tee: bool) -> bool:
        import av

        try:
            with open_output(path, self._container, {}, tee=tee) as trial:
                twin = copy_stream(trial, stream, self._container.name)
                trial.start_encoding()
                if data := self.first.get(stream.index):
                    mux_one(trial, twin, data)
            return True
        except (av.error.FFmpegError, ValueError, TypeError):
            return False


def _opens(path: Path) -> bool:
    with open_made(path) as file:
        return len(file.streams) == 1


def _is_described(path: Path) -> bool:
    """Whether the sound in a file has what every decoder asks for."""
    import av

    try:
        with open_made(path) as file:
            context: Any = file.streams.audio[0].codec_context
            return bool(context and context.sample_rate and context.layout.nb_channels)
    except (av.error.FFmpegError, IndexError):
        return False


def _first_packets(source: Any, indices: set[int]) -> dict[int, bytes]:
    """Reads the beginning of ``source``."""
    import av

    found: dict[int, bytes] = {}
    # At the end PyAV flushes every stream, and does not know those that turned up on the way.
    with contextlib.suppress(av.error.FFmpegError, IndexError):
        for packet in itertools.islice(source.demux(), SOON):
            if indices <= found.keys():
                break
            if packet.size and packet.stream_index in indices:
                found.setdefault(packet.stream_index, bytes(packet))
    return found


def mux_one(target: Any, stream: Any, data: bytes) -> None:
    """Some muxers find only at their end that they cannot say what a packet's stream is."""
    import av

    packet: Any = av.Packet(data)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = 0
    packet.duration = 1
    # A damaged one says nothing of the others.
    with contextlib.suppress(av.error.FFmpegError):
        target.mux(packet)
