"""A film as a source of frames: every frame that decodes, with its exact timestamp and displayed size."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edge_sr.errors import MediaError
from edge_sr.video.colour import Colour, read_colour
from edge_sr.video.film.deinterlace import Deinterlacer
from edge_sr.video.opening import decoder_note, frame_rate, open_input, picture_stream
from edge_sr.video.orientation import Orientation, frame_orientation
from edge_sr.video.pixels import PixelLayout, layout_of

if TYPE_CHECKING:
    import av
    import av.container
    import av.video.stream

# This many failures in a row and the rest of the file is given up.
HOPELESS = 64


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """The part of a film to read, in seconds from its beginning; ``duration`` None reads to the end."""

    start: Fraction = Fraction(0)
    duration: Fraction | None = None

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.duration is None


@dataclasses.dataclass(frozen=True)
class FilmInfo:
    """What the first frame and the headers say. Sizes are ``(width, height)`` in pixels.

    ``bits_per_pixel``: what the codec spends on a pixel of a frame, 0 where the headers don't say;
    ``quantiser``: H.264's of the first frame, mean over its blocks, which is nearly the CRF it was coded at.
    """

    name: str
    container: str
    codec: str
    bits_per_pixel: float
    quantiser: float | None
    coded_size: tuple[int, int]
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    frames: int
    aspect: Fraction
    colour: Colour
    layout: PixelLayout
    orientation: Orientation
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FilmFrame:
    """A decoded frame: its place in the film from 0, and its time in units of the film's time base."""

    index: int
    pts: int
    duration: int
    frame: av.VideoFrame


class Film:
    """An opened film. ``frames`` may be read once; ``bad_frames`` and ``warnings`` count as it is read.

    Raises ``MediaError`` when there is no picture in it, ``HdrError`` when it is HDR.
    """

    def __init__(
        self,
        name: str,
        excerpt: Excerpt = Excerpt(),
        *,
        hwaccel: str = "none",
        threads: int = 1,
        protocols: Collection[str] = (),
    ) -> None:
        self.name = name
        self.excerpt = excerpt
        self._hwaccel = hwaccel
        self.bad_frames = 0
        self.decoded = 0
        self.warnings: list[str] = []
        self._container = open_input(name, hwaccel, protocols)
        try:
            self._stream: Any = picture_stream(Path(name).name, self._container)
            # For progress and rate control alone: timestamps never come from it.
            self._rate = frame_rate(self._stream) or Fraction(25)
            self._stream.codec_context.thread_count = threads
            self._stream.thread_type = "AUTO" if threads > 1 else "NONE"
            if self._stream.codec_context.codec.canonical_name == "h264":
                self._stream.codec_context.options = {"export_side_data": "venc_params"}
            self._deinterlacer = Deinterlacer()
            self._begin()
            self._decoded = self._decode()
            self._first = next(self._decoded, None)
            if self._first is None:
                raise MediaError(f"{name} holds no frame that can be decoded" + self._excerpt_hint())
            self.info = self._describe(self._first)
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    @property
    def stream_index(self) -> int:
        """Which of the file's streams is the picture."""
        return int(self._stream.index)

    @property
    def deinterlaced(self) -> bool:
        return self._deinterlacer.active

    @property
    def offset(self) -> Fraction:
        """Seconds to take off every timestamp of the file, so that an excerpt begins at 0."""
        return self._origin + self.excerpt.start if self.excerpt.start else Fraction(0)

    def frames(self) -> Iterator[FilmFrame]:
        """All frames, their times strictly rising."""
        shift = round(self.offset / self.info.time_base)
        last: int | None = None
        tick = max(1, round(1 / (self.info.rate * self.info.time_base)))
        for index, frame in enumerate(self._with_first()):
            pts = frame.pts
            if pts is None:
                pts = shift if last is None else last + tick
            elif last is not None and pts <= last:
                self._warn("some frames do not follow the one before in time: moved to just after it")
                pts = last + 1
            last = pts
            self.decoded = index + 1
            yield FilmFrame(index, pts - shift, frame.duration or tick, frame)

    def _with_first(self) -> Iterator[av.VideoFrame]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._decoded

    def _begin(self) -> None:
        self._origin = Fraction(self._container.start_time or 0, 1_000_000)
        start = self._origin + self.excerpt.start
        self._end: Fraction | None = None
        self._from = start if self.excerpt.start else None
        self._until = None if self.excerpt.duration is None else start + self.excerpt.duration
        if self.excerpt.start:
            target = int(start / Fraction(self._stream.time_base or 1))
            self._container.seek(target, stream=self._stream, backward=True)

    def _decode(self) -> Iterator[av.VideoFrame]:
        for frame in self._progressive():
            time = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 1)
            if time is not None and self._from is not None and time < self._from:
                continue
            if time is not None and self._until is not None and time >= self._until:
                return
            if frame.is_corrupt:
                self.bad_frames += 1
            self._end = time
            yield frame

    def _progressive(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            for frame in self._decode_packet(packet):
                yield from self._deinterlacer.push(frame)
        yield from self._deinterlacer.flush()
        self._check_end()

    def _packets(self) -> Iterator[Any]:
        """Every packet that can be read; damage in the container is skipped."""
        import av

        failures = 0
        while failures < HOPELESS:
            try:
                for packet in self._container.demux(self._stream):
                    failures = 0
                    yield packet
                return
            except av.error.FFmpegError as error:
                failures += 1
                self._warn(f"the file is damaged: {error.strerror}")

    def _decode_packet(self, packet: Any) -> list[av.VideoFrame]:
        import av

        if packet.is_corrupt:
            self._warn("the file is damaged: it ends in the middle of a frame")
        try:
            frames: list[av.VideoFrame] = packet.decode()
            return frames
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self.bad_frames += 1
            self._warn(f"frames that cannot be decoded: {error.strerror}")
            return []

    def _check_end(self) -> None:
        """Warns when the frames end well before the time that the header gives."""
        length = self._stream.duration
        if not self.excerpt.is_whole or self._end is None:
            return
        if length is not None:
            promised = (length + (self._stream.start_time or 0)) * Fraction(self._stream.time_base or 1)
        else:
            promised = Fraction(self._container.duration or 0, 1_000_000) + self._origin
        missing = promised - self._end
        if missing > max(1, 3 / self._rate):
            self._warn(f"the film ends {float(missing):.1f} s before the end that its header gives")

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def _excerpt_hint(self) -> str:
        return "" if self.excerpt.is_whole else " between --start and the end of --duration"

    def _describe(self, frame: av.VideoFrame) -> FilmInfo:
        colour, notes = read_colour(frame)
        layout = layout_of(frame.format)
        if layout.has_alpha:
            notes.append("the film's transparency is left out: only pictures keep theirs")
        if self.deinterlaced:
            notes.append("the film is interlaced: deinterlaced with bwdif, one frame for each")
        if note := decoder_note(self._hwaccel, self._stream.codec_context.is_hwaccel):
            notes.append(note)
        orientation = frame_orientation(frame)
        return FilmInfo(
            name=self.name,
            container=self._container.format.name,
            codec=self._stream.codec_context.codec.canonical_name,
            bits_per_pixel=self._bits_per_pixel(frame),
            quantiser=_quantiser(frame),
            coded_size=(frame.width, frame.height),
            size=orientation.displayed(frame.width, frame.height),
            time_base=Fraction(frame.time_base or self._stream.time_base or Fraction(1, 1000)),
            rate=self._rate,
            frames=self._expected_frames(),
            aspect=_aspect(self._stream, orientation),
            colour=colour,
            layout=layout,
            orientation=orientation,
            notes=tuple(notes),
        )

    def _bits_per_pixel(self, frame: av.VideoFrame) -> float:
        """From the stream's bit rate, else the whole file's, of which a picture takes nearly all."""
        bit_rate = self._stream.bit_rate or self._container.bit_rate or 0
        return float(bit_rate / (frame.width * frame.height * self._rate))

    def _expected_frames(self) -> int:
        """How many frames the headers promise for the excerpt; 0 when they do not say."""
        duration = Fraction(self._container.duration or 0, 1_000_000)
        if self.excerpt.is_whole and self._stream.frames:
            return int(self._stream.frames)
        rest = max(duration - self.excerpt.start, Fraction(0))
        if self.excerpt.duration is not None:
            rest = min(rest, self.excerpt.duration) if duration else self.excerpt.duration
        return round(rest * self._rate)


def _quantiser(frame: av.VideoFrame) -> float | None:
    """Hardware decoders and other codecs than H.264 do not say, nor do frames whose fields were coded apart."""
    found = next((data for data in frame.side_data if hasattr(data, "qp_map")), None)
    try:
        return None if found is None else float(found.qp_map().mean())
    except RuntimeError:
        return None


def _aspect(stream: av.video.stream.VideoStream, orientation: Orientation) -> Fraction:
    ratio = Fraction(stream.sample_aspect_ratio or 1)
    return 1 / ratio if orientation.transpose else ratio
