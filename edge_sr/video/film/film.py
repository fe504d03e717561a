"""A film as a source of frames: every frame that decodes, with its exact timestamp and displayed size."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edge_sr.errors import MediaError
from edge_sr.video.film.decoding import CAPTIONS, FrameDecoder, with_times
from edge_sr.video.film.info import TRANSPARENCY, Excerpt, FilmInfo, describe
from edge_sr.video.film.packets import FilmPackets, packets_for, shown
from edge_sr.video.film.promised import missing_seconds
from edge_sr.video.frames.side_data import side_data
from edge_sr.video.frames.stereo import MARK_OF_3D
from edge_sr.video.opening import decoder_note, film_rate, open_input, picture_stream
from edge_sr.video.sequences import after_a_gap, numbered_files
from edge_sr.video.surfaces.read import is_on_gpu
from edge_sr.video.timed import Timed

if TYPE_CHECKING:
    import av
    import av.container
    import av.video.stream

__all__ = ["Excerpt", "Film", "FilmInfo"]

WHOLE = Excerpt()
# No film counts its time in longer units than this (seconds).
LONGEST_UNIT = 60
# Seconds before the wanted place from which on a film is read, so that its decoder and filters have settled.
RUN_UP = Fraction(2)


class Film(AbstractContextManager["Film"]):
    """An opened film. ``frames`` may be read once; ``bad_frames`` and ``warnings`` count as it is read.

    ``tone_map`` brings HDR to SDR; frames of more than ``most_pixels`` count as bad. ``opened`` is the film where it
    comes through a pipe, so that it cannot be opened by its name. Raises ``MediaError`` when there is no picture in
    it, ``HdrError`` for Dolby Vision that only a Dolby decoder can show.
    """

    def __init__(
        self,
        name: str,
        excerpt: Excerpt = WHOLE,
        *,
        hwaccel: str = "none",
        threads: int = 1,
        protocols: Collection[str] = (),
        tone_map: bool = False,
        most_pixels: int | None = None,
        opened: av.container.InputContainer | None = None,
    ) -> None:
        self.name = name
        self._given, self.excerpt = opened, excerpt
        self._hwaccel, self._on_gpu = hwaccel, False
        self._threads = threads
        self.decoded = 0
        self.warnings: list[str] = []
        self.captions: dict[int, bytes] | None = None
        self.keeps_stereo = False
        self._protocols = protocols
        self._tone_map = tone_map
        self._most_pixels = most_pixels
        self._open()
        try:
            self._begin_reading()
            if self._first is None:
                raise MediaError(f"{name} holds no frame that can be decoded" + self._hint())
            self.info = self._describe(self._first[1])
        except BaseException:
            self._container.close()
            raise

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
    def bad_frames(self) -> int:
        return self._decoder.bad_frames

    @property
    def lost(self) -> list[str]:
        """A name for each part of the picture that cannot be kept, as far as the film has been read."""
        kept = {
            CAPTIONS: self.captions is not None,
            MARK_OF_3D: self.keeps_stereo,
            TRANSPARENCY: self.info.keeps_alpha,
        }
        return [name for name in dict.fromkeys((*self.info.lost, *self._decoder.lost)) if not kept.get(name)]

    def keep_alpha(self) -> None:
        """Has the alpha channel read beside the colours, as ``info.keeps_alpha`` says from then on."""
        self.info = dataclasses.replace(self.info, keeps_alpha=True)

    def keep_captions(self) -> dict[int, bytes]:
        """Has the closed captions of each frame put into the result, by the frame's number, as it is read."""
        self.captions = {}
        return self.captions

    @property
    def decoded_by_gpu(self) -> bool:
        """Whether a GPU decodes it and its frames stay as they are, as far as headers and first frame tell."""
        by_gpu = not self._given and self._stream.codec_context.is_hwaccel
        return bool(by_gpu and not self._decoder.alters)

    def keep_on_gpu(self) -> bool:
        """Has all frames stay in the memory of the GPU that decodes them, before any is read; False if they do not."""
        for self._on_gpu in (True, False):
            self._reopen()
            self._begin_reading()
            if self._on_gpu and self._first is not None and is_on_gpu(self._first[1]):
                break
        return self._on_gpu

    def _begin_reading(self) -> None:
        self._times = self._within_excerpt()
        self._first = next(self._times, None)

    def skip_to(self, count: int, pts: int) -> None:
        """Has ``frames`` begin with number ``count``, whose time is ``pts``, from a keyframe before it.

        A film that has no frame of that time where it should be is decoded from its beginning.
        """
        time = (pts + self._shift) * self.info.time_base
        self._reopen()
        found = self._read(time)
        first = next((timed for timed in found if timed[0] >= pts + self._shift), None)
        if first is not None and first[0] == pts + self._shift:
            self._times = self._until_end(itertools.chain([first], found))
        else:
            self._reopen()
            self._times = itertools.islice(self._within_excerpt(), count, None)
        self._first, self.decoded = None, count

    def frames(self) -> Iterator[Timed[av.VideoFrame]]:
        """All frames, their times strictly rising; each lasts until the next, the last one as long as it says."""
        times = itertools.chain([self._first] if self._first else [], self._times)
        held: tuple[int, av.VideoFrame] | None = None
        for pts, frame in times:
            if held is not None:
                yield self._timed(held, pts - held[0])
            held = pts, frame
        if held is not None:
            yield self._timed(held, self._last_duration(*held))
        self._check_end()

    def _timed(self, held: tuple[int, av.VideoFrame], duration: int) -> Timed[av.VideoFrame]:
        self.decoded += 1
        if self.captions is not None and (captions := side_data(held[1]).get("A53_CC")) is not None:
            self.captions[self.decoded - 1] = bytes(captions)
        return Timed(self.decoded - 1, held[0] - self._shift, duration, held[1])

    def _last_duration(self, pts: int, frame: av.VideoFrame) -> int:
        duration = frame.duration or self._tick
        if self._end is not None:
            duration = min(duration, max(1, round(self._end / self._unit) - pts))
        return duration

    @property
    def _unit(self) -> Fraction:
        """Of the frames' times, in seconds."""
        return Fraction(self._stream.time_base or Fraction(1, 1000))

    @property
    def _tick(self) -> int:
        return max(1, round(1 / (self._rate * self._unit)))

    @property
    def _end(self) -> Fraction | None:
        if self.excerpt.duration is None:
            return None
        return self._packets.begins + self.excerpt.start + self.excerpt.duration

    @property
    def _shift(self) -> int:
        return self.excerpt.shift(self._packets.begins, self._unit)

    def _open(self) -> None:
        self._container = self._given or open_input(
            self.name, self._hwaccel, self._protocols, self._most_pixels, on_gpu=self._on_gpu
        )
        try:
            self._stream: Any = picture_stream(Path(self.name).name, self._container)
            if self._unit > LONGEST_UNIT:
                raise MediaError(
                    f"{self.name} counts time in units of {float(self._unit):.0f} s: its header is damaged"
                )
            # For progress and rate control alone where the film has times of its own.
            self._rate = film_rate(self._stream)
            if missed := after_a_gap(numbered_files(self.name)):
                self._warn(
                    f"a number is missing before {missed[0].name}: {len(missed)} pictures are left out"
                )
            self._packets = FilmPackets(self._container, self._warn)
            self._decoder = FrameDecoder(self._stream, self._threads, self._warn, self._most_pixels)
        except BaseException:
            self._container.close()
            raise

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    def _read(self, time: Fraction | None) -> Iterator[tuple[int, av.VideoFrame]]:
        """Time and frame from the film's beginning, or from somewhere before ``time``."""
        if time is None or not self._packets.has_times:
            return self._timed_frames(self._picture_packets())
        if self._packets.seek(time - RUN_UP, self._stream):
            packets = self._picture_packets()
            first = next(packets, None)
            if first is not None and shown(first) <= time:
                return self._timed_frames(packets_for(itertools.chain([first], packets), time))
            self._reopen()
        return self._timed_frames(packets_for(self._picture_packets(), time))

    def _picture_packets(self) -> Iterator[Any]:
        return (packet for packet in self._packets if packet.stream_index == self.stream_index)

    def _timed_frames(self, packets: Iterable[Any]) -> Iterator[tuple[int, av.VideoFrame]]:
        has_times = self._packets.has_times
        return with_times(self._decoder.frames(packets), self._tick, self._warn, has_times=has_times)

    def _within_excerpt(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames shown within the excerpt: the one that began before it begins with it."""
        if not self.excerpt.start:
            yield from self._until_end(self._read(None))
            return
        earlier: av.VideoFrame | None = None
        until: int | None = None
        for pts, frame in self._until_end(self._read(self._packets.begins + self.excerpt.start)):
            if pts < self._shift:
                earlier, until = frame, pts + (frame.duration or self._tick)
                continue
            if earlier is not None and pts > self._shift:
                yield self._shift, earlier
            earlier = None
            yield pts, frame
        if earlier is not None and until is not None and until > self._shift:
            earlier.duration = until - self._shift
            yield self._shift, earlier

    def _until_end(self, times: Iterable[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame]]:
        for pts, frame in times:
            if self._end is not None and pts * self._unit >= self._end:
                return
            yield pts, frame

    def _check_end(self) -> None:
        """Warns when the frames end well before the time that the header gives."""
        if not self.excerpt.is_whole or not self._packets.knows_its_end:
            return
        missing = missing_seconds(self._container, self._stream, self._packets)
        if missing > max(Fraction(1), 3 / self._rate):
            self._warn(f"the film ends {float(missing):.1f} s before the end that its header gives")

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def _hint(self) -> str:
        by_gpu = " by the GPU: use --hwaccel none" if self._hwaccel == "cuda" else ""
        if self.excerpt.is_whole:
            return by_gpu
        if self.excerpt.duration is None:
            return f" from --start {float(self.excerpt.start):g} s on{by_gpu}"
        return f" between --start and the end of --duration{by_gpu}"

    def _describe(self, frame: av.VideoFrame) -> FilmInfo:
        info = describe(
            self.name,
            self._container,
            self._stream,
            frame,
            rate=self._rate,
            excerpt=self.excerpt,
            tone_map=self._tone_map,
        )
        notes = list(info.notes)
        if self._decoder.deinterlaces:
            notes.append("the film is interlaced: deinterlaced with bwdif, one frame for each")
        if note := decoder_note(self._hwaccel, self._stream.codec_context.is_hwaccel):
            notes.append(note)
        return dataclasses.replace(info, time_base=self._unit, notes=tuple(notes))
