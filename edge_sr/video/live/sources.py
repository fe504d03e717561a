"""Live sources by URI: frames with the moment they came in, and the sound beside them."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge_sr.errors import (
    EdgeSRError,
    InputNotFoundError,
    MediaError,
    OptionError,
    UnreachableError,
)
from edge_sr.sizes import size_text
from edge_sr.video.film.crop import Cropper, crop_of
from edge_sr.video.film.deinterlace import Deinterlacer
from edge_sr.video.frames.orientation import frame_orientation
from edge_sr.video.live import v4l2
from edge_sr.video.live.address import Address, without_protocol
from edge_sr.video.live.arrival import OPEN_SECONDS, READ_SECONDS, Arrival, Playback, Sound
from edge_sr.video.missing_times import with_missing_times, without_made_up_times
from edge_sr.video.opening import (
    CLOCK_MAY_JUMP,
    NO_TIMES,
    coded_rate,
    ffmpeg_name,
    frame_rate,
    lacking,
    picture_stream,
)
from edge_sr.video.protocols import opening_options
from edge_sr.video.shape import upright_aspect

if TYPE_CHECKING:
    import av

# A playlist is asked for a new piece only every few seconds.
PLAYLIST_READ_SECONDS = 20.0
# Streams in pieces, each of which can be read at once.
PLAYLISTS = frozenset({"hls", "applehttp", "dash"})
# What a film may give before its sound is heard, in packets.
EARLY = 100
# Decoded frames that may still be on their way for a packet whose arrival is remembered.
REMEMBERED = 64


class LiveSource(Protocol):
    """An open source. ``ends`` says whether running dry is its end (a film) or a fault (a camera).

    ``fault`` is what it last said was wrong. ``playback`` is set where frames come as fast as they are read. ``sound``
    is FFmpeg's stream, and ``sound_head`` its first packet once that is known, for a film before its first frame.
    """

    ends: bool
    fault: str
    rate: Fraction | None
    playback: Playback | None
    sound: Any
    sound_head: bytes

    def __iter__(self) -> Iterator[Arrival | Sound]: ...

    def close(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class SourcePlan:
    """What the source is opened with; ``rate`` is what a camera is asked for.

    ``protocols`` may be used beside those that the address needs by itself.
    """

    address: Address
    rate: Fraction | None = None
    protocols: frozenset[str] = frozenset()

    def open(self, stop: threading.Event) -> LiveSource:
        """The opened source; a wait inside ends early once ``stop`` is set.

        Raises ``InputNotFoundError``, ``UnreachableError``, ``MediaError``, ``InputError`` or ``MissingError``.
        """
        if self.address.kind in ("gst", "csi"):
            from edge_sr.video.live.gstreamer import GStreamerSource

            return GStreamerSource(self.address, stop, self.rate)
        return StreamSource(self, stop)


class StreamSource:
    """Whatever FFmpeg opens: a film from a file or a pipe, a capture device or a stream."""

    def __init__(self, plan: SourcePlan, stop: threading.Event) -> None:
        address = plan.address
        self._stop = stop
        self._arrivals: dict[int, float] = {}
        self._container = _open(plan)
        try:
            self._video = picture_stream(address.shown, self._container)
            _decode_without_delay(self._video)
        except BaseException:
            self._container.close()
            raise
        self.ends = _has_end(address, self._container)
        self.sound = next(iter(self._container.streams.audio), None)
        found = coded_rate(self._container) or frame_rate(self._video)
        self.rate = None if found is None else found.limit_denominator(1001)
        self.playback = _playback(address, self._container, self.ends)
        self.sound_head, self.fault = b"", ""
        self._cropper = Cropper(crop_of(self._video))
        self._deinterlacer = Deinterlacer(self._video.codec_context.codec.canonical_name)

    def close(self) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Arrival | Sound]:
        streams = [self._video] if self.sound is None else [self._video, self.sound]
        packets = self._packets(streams)
        early = self._until_heard(packets) if self.ends and self.sound is not None else []
        for packet in itertools.chain(early, packets):
            if packet.stream is self._video:
                yield from self._pictures(packet)
            elif _is_heard(packet):
                self.sound_head = self.sound_head or bytes(packet)
                yield Sound(packet, float(packet.pts * packet.time_base))
        for frame in self._deinterlacer.flush():
            yield self._arrival(frame, time.monotonic())

    def _until_heard(self, packets: Iterator[Any]) -> list[Any]:
        """The film's packets up to its first sound, at most so many; undecoded, for pictures are large."""
        early = []
        for packet in itertools.islice(packets, EARLY):
            early.append(packet)
            if packet.stream is self.sound and _is_heard(packet):
                self.sound_head = bytes(packet)
                break
        return early

    def _packets(self, streams: list[Any]) -> Iterator[Any]:
        import av

        try:
            for packet in self._container.demux(streams):
                if self._stop.is_set():
                    return
                yield packet
        except (av.error.FFmpegError, IndexError):
            # A break is the reader's business. PyAV stumbles at the end over streams that turned up on the way.
            return

    def _pictures(self, packet: Any) -> Iterator[Arrival]:
        arrived = time.monotonic()
        if packet.pts is not None:
            self._remember(packet.pts, arrived)
        for frame in _decoded(packet):
            for whole in self._deinterlacer.push(frame):
                yield self._arrival(whole, arrived)

    def _arrival(self, frame: av.VideoFrame, arrived: float) -> Arrival:
        captured = self._arrivals.pop(frame.pts, arrived) if frame.pts is not None else arrived
        seconds = None if frame.time is None else float(frame.time)
        aspect = upright_aspect(self._video.sample_aspect_ratio, turned=frame_orientation(frame).transpose)
        return Arrival(self._cropper(frame), captured, seconds, aspect)

    def _remember(self, pts: int, arrived: float) -> None:
        self._arrivals[pts] = arrived
        while len(self._arrivals) > REMEMBERED:
            del self._arrivals[next(iter(self._arrivals))]


def _open(plan: SourcePlan) -> Any:
    import av

    address = plan.address
    name, form, options = _request(address, plan.rate)
    if address.kind != "device":
        options.update(opening_options(name, address.kind, plan.protocols))
    read = PLAYLIST_READ_SECONDS if address.kind.startswith("http") else READ_SECONDS
    # A pipe and a file may be as slow as they like.
    timeout = (OPEN_SECONDS, read) if address.is_network else None
    try:
        opened = av.open(name, format=form, options=options, timeout=timeout, metadata_errors="replace")
        return without_made_up_times(opened)
    except av.error.FFmpegError as error:
        raise _unopened(address, error) from error


def _request(address: Address, rate: Fraction | None) -> tuple[str, str | None, dict[str, str]]:
    """What FFmpeg is to open: name, format where it must be told, options."""
    if address.kind == "file":
        if not Path(address.target).exists():
            raise InputNotFoundError(f"no such file: {address.target}")
        return ffmpeg_name(address.target), None, {}
    if address.kind == "pipe":
        return _pipe(address)
    if address.kind == "device":
        return _device(address, rate)
    return _network(address)


def _network(address: Address) -> tuple[str, str | None, dict[str, str]]:
    options = {"probesize": "500000", "analyzeduration": "1000000"}
    if address.kind.startswith("http"):
        options.update(live_start_index="-1")
    else:
        # It throws away what was looked at, which of a film over HTTP is the beginning.
        options.update(fflags="nobuffer")
    if address.kind == "udp":
        options.update(overrun_nonfatal="1", fifo_size="50000", buffer_size="4000000")
    if address.kind.startswith("rtsp"):
        # Few lose packets by TCP; some cameras send by UDP alone.
        options.update(rtsp_flags="prefer_tcp")
    return address.target, None, options


def _pipe(address: Address) -> tuple[str, str | None, dict[str, str]]:
    size = address.option("size")
    unknown = {key for key, _ in address.options} - {"size", "rate", "format"}
    if unknown or (address.options and size is None):
        raise OptionError("raw video from a pipe is pipe:?size=WxH&rate=N&format=rgb24, size at least")
    if size is None:
        return "pipe:0", None, {"probesize": "500000", "analyzeduration": "0"}
    options = {"video_size": size, "framerate": address.option("rate") or "25"}
    return "pipe:0", "rawvideo", {**options, "pixel_format": address.option("format") or "rgb24"}


def _device(address: Address, rate: Fraction | None) -> tuple[str, str | None, dict[str, str]]:
    mode = v4l2.best_mode(v4l2.modes(address.target), rate)
    options: dict[str, str] = {}
    if mode is not None:
        options = {"video_size": size_text(mode.size), "framerate": str(mode.rate)}
        options["input_format"] = mode.pixel_format
    return address.target, "video4linux2", options


def _unopened(address: Address, error: Any) -> EdgeSRError:
    short = lacking(error)
    if short is not None:
        return short
    if type(error).__name__ == "ProtocolNotFoundError":
        return without_protocol(address, f'a source such as "gst:{address.kind}src ...", ')
    reason = "timed out" if type(error).__name__ in ("ExitError", "TimeoutError") else str(error.strerror)
    if "timed out" in reason:
        reason = f"no answer within {OPEN_SECONDS:.0f} seconds"
    if address.is_network:
        return UnreachableError(f"{address.shown} cannot be reached: {reason}; check that it is sending")
    return MediaError(f"{address.shown} is no film or camera that FFmpeg can open: {reason}")


def _decode_without_delay(stream: Any) -> None:
    from av.codec.context import Flags

    context = stream.codec_context
    context.thread_type = "SLICE"
    context.thread_count = 1
    # Where frames wait for others, MPEG-2's and MPEG-4's decoders would give them in the order of decoding.
    if not context.has_b_frames:
        context.flags |= Flags.low_delay


def _decoded(packet: Any) -> list[Any]:
    import av

    try:
        return with_missing_times(packet.decode())
    except av.error.FFmpegError:
        # Lost packets break frames on any network; the next key frame mends it.
        return []


def _is_heard(packet: Any) -> bool:
    return packet.pts is not None and packet.size > 0 and not packet.is_discard


def _playback(address: Address, container: Any, ends: bool) -> Playback | None:
    """None for what comes at its own pace, as from a camera: a pipe without times may, and does without a rate."""
    is_raw_pipe = address.kind == "pipe" and bool(container.format.flags & NO_TIMES)
    has_rate = bool(address.options) or coded_rate(container) is not None
    if not (ends or _in_pieces(container)) or (is_raw_pipe and not has_rate):
        return None
    return Playback(bool(container.format.flags & CLOCK_MAY_JUMP), address.is_network or is_raw_pipe)


def _has_end(address: Address, container: Any) -> bool:
    if address.kind in ("file", "pipe"):
        return True
    by_http = address.kind.startswith("http")
    return by_http and bool(container.duration or (not _in_pieces(container) and container.size > 0))


def _in_pieces(container: Any) -> bool:
    return not PLAYLISTS.isdisjoint(container.format.name.split(","))
