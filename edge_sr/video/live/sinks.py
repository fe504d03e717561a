"""Outlets opened for live frames and sound."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from edge_sr.errors import (
    OUT_OF_DISK,
    DiskFullError,
    EdgeSRError,
    MissingError,
    ResourceError,
    UnreachableError,
)
from edge_sr.video.encode.codecs import fitting_layout, pixel_format
from edge_sr.video.encode.refusal import refusals
from edge_sr.video.frames.colour import Colour, tag_colours
from edge_sr.video.frames.pixels import PixelLayout
from edge_sr.video.live.address import Address, without_protocol
from edge_sr.video.live.cadence import Cadence
from edge_sr.video.live.outlets import Outlet
from edge_sr.video.live.sound import SoundTrack
from edge_sr.video.opening import ffmpeg_name, open_encoder
from edge_sr.video.piped.sink import ReaderLeft

if TYPE_CHECKING:
    import av

CLOCK = Fraction(1, 90_000)
# What frames come in; an encoder without it is given the nearest that it takes.
LIVE = PixelLayout(8, "420")
# A viewer who joins late waits at most so long for a picture.
KEY_FRAME_SECONDS = 1
TIMEOUT_SECONDS = 5.0

# Encoder -> what makes it keep up, whatever it costs in size.
QUICK: dict[str, dict[str, str]] = {
    "x264": {"preset": "superfast", "tune": "zerolatency", "crf": "20"},
    "x265": {"preset": "ultrafast", "tune": "zerolatency", "crf": "22"},
    "svt-av1": {"preset": "12", "crf": "30"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "28", "b": "0"},
    "h264_nvenc": {"preset": "p1", "tune": "ull", "rc": "vbr", "cq": "22", "b": "0"},
    "hevc_nvenc": {"preset": "p1", "tune": "ull", "rc": "vbr", "cq": "24", "b": "0"},
    "av1_nvenc": {"preset": "p1", "tune": "ull", "rc": "vbr", "cq": "28", "b": "0"},
}


@dataclasses.dataclass(frozen=True)
class PictureForm:
    """What all of a sink's pictures are like: their size, how many a second, a pixel's aspect, and their colours."""

    size: tuple[int, int]
    rate: Fraction
    colour: Colour
    aspect: Fraction = Fraction(1)


class Sink(Protocol):
    """An open sink for frames of one size, in ``yuv420p``; times in seconds from its own beginning."""

    def write(self, frame: av.VideoFrame, seconds: float) -> None: ...

    def write_sound(self, packet: Any, seconds: float) -> None: ...

    def close(self) -> None: ...


class StreamSink:
    """An outlet opened by FFmpeg.

    ``sound`` is copied where the muxer takes it, which ``has_sound`` tells.
    Raises ``UnreachableError``, ``ResourceError``, ``DiskFullError`` or ``MissingError``, and ``ReaderLeft`` for a
    pipe.
    """

    def __init__(self, outlet: Outlet, form: PictureForm, sound: SoundTrack | None = None) -> None:
        self._outlet = outlet
        self._last = {"video": -1, "audio": -1}
        self._cadence = Cadence(form.rate) if outlet.has_rate_alone else None
        self._shown: av.VideoFrame | None = None
        self._track = sound if outlet.takes_sound else None
        try:
            self._begin(form, self._track)
        except (ResourceError, UnreachableError):
            if self._track is None:
                raise
            # Some muxers refuse a sound only when they begin to write.
            self._begin(form, None)

    def _begin(self, form: PictureForm, sound: SoundTrack | None) -> None:
        with _failing(self._outlet.address):
            self._container = _open(self._outlet)
        try:
            with _failing(self._outlet.address):
                self._video = _video(self._container, self._outlet, form)
                self._sound = _sound(self._container, sound)
                self._container.start_encoding()
        except BaseException:
            with contextlib.suppress(Exception):
                self._container.close()
            raise

    @property
    def has_sound(self) -> bool:
        return self._sound is not None

    def write(self, frame: av.VideoFrame, seconds: float) -> None:
        if self._cadence is not None:
            for _ in self._cadence.missing(seconds):
                self._put(self._shown or frame, 0)
            self._shown, seconds = frame, 0
        self._put(frame, seconds)

    def _put(self, frame: av.VideoFrame, seconds: float) -> None:
        unit = self._video.codec_context.time_base
        frame.pts = self._rising("video", seconds, unit)
        frame.time_base = unit
        with _failing(self._outlet.address):
            self._container.mux(self._video.encode(frame))

    def write_sound(self, packet: Any, seconds: float) -> None:
        if self._sound is None or self._track is None or seconds < 0:
            return
        import av

        unit = packet.time_base
        packet = av.Packet(self._track.payload(bytes(packet)))
        packet.time_base = unit
        packet.pts = packet.dts = self._rising("audio", seconds, unit)
        packet.stream = self._sound
        with _failing(self._outlet.address):
            self._container.mux(packet)

    def close(self) -> None:
        """Writes what the encoder still holds. A peer that has gone by then is no error."""
        import av

        try:
            with _failing(self._outlet.address):
                self._container.mux(self._video.encode(None))
                self._container.close()
        except (UnreachableError, ReaderLeft, av.error.EOFError):
            return

    def _rising(self, kind: str, seconds: float, unit: Fraction) -> int:
        self._last[kind] = max(self._last[kind] + 1, round(seconds / unit))
        return self._last[kind]


def _open(outlet: Outlet) -> Any:
    import av

    address = outlet.address
    name = {"pipe": "pipe:1", "file": ffmpeg_name(address.target)}.get(address.kind, address.target)
    timeout = (TIMEOUT_SECONDS, TIMEOUT_SECONDS) if address.is_network else None
    if address.kind == "udp" and "pkt_size" not in name:
        name += ("&" if "?" in name else "?") + "pkt_size=1316"
    options = {"flush_packets": "1", **outlet.options}
    return av.open(name, "w", format=outlet.muxer, container_options=options, timeout=timeout)


def _video(container: Any, outlet: Outlet, form: PictureForm) -> Any:
    import av
    import av.codec

    codec = outlet.codec
    try:
        stream = container.add_stream("rawvideo" if codec is None else codec.encoder, rate=form.rate)
    except av.codec.codec.UnknownCodecError as error:
        raise MissingError(
            f"this FFmpeg has no encoder for --codec {codec and codec.name}: use x264"
        ) from error
    context = stream.codec_context
    context.width, context.height = form.size
    context.sample_aspect_ratio = form.aspect
    if codec is None:
        context.pix_fmt = "yuv420p"
        # A pipe of frames has no clock of its own, only a rate.
        context.time_base = 1 / form.rate
        return stream
    context.pix_fmt = pixel_format(codec, fitting_layout(codec, LIVE, explicit=False, size=form.size))
    context.time_base = CLOCK
    tag_colours(context, form.colour)
    context.gop_size = max(1, round(form.rate * KEY_FRAME_SECONDS))
    context.options = {**dict(codec.fixed), **QUICK.get(codec.name, {})}
    with refusals(codec, form.size, context.options):
        open_encoder(context)
    return stream


def _sound(container: Any, track: SoundTrack | None) -> Any:
    import av

    if track is None:
        return None
    try:
        return track.add_to(container)
    except (av.error.FFmpegError, ValueError):
        return None


@contextlib.contextmanager
def _failing(address: Address) -> Iterator[None]:
    """What goes wrong inside becomes one of the project's errors, without the address's credentials."""
    import av

    try:
        yield
    except EdgeSRError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if address.kind == "pipe" and getattr(error, "errno", None) == errno.EPIPE:
            raise ReaderLeft from error
        raise _failure(address, error) from error


def _failure(address: Address, error: Any) -> EdgeSRError:
    if type(error).__name__ == "ProtocolNotFoundError":
        return without_protocol(address)
    reason = getattr(error, "strerror", None) or "FFmpeg refuses it"
    if address.is_network:
        return UnreachableError(f"{address.shown} takes no stream: {reason}; check that it is listening")
    if getattr(error, "errno", None) in OUT_OF_DISK:
        return DiskFullError(f"no space left for {address.shown}: what was written so far is playable")
    return ResourceError(f"{address.shown} cannot be written: {reason}")
