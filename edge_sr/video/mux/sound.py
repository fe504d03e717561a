"""Sound encoded again, for containers that cannot hold it as it is."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from edge_sr.video.film.channels import channels_of, encoded_layout, encoded_rate

# Bits a second for each channel: beyond what a listener tells from the original.
CHANNEL_BITS = 96_000
# Decoders make samples of any size of damaged packets. Full scale is 1, and FFmpeg's AAC encoder loops on millions.
LOUDEST = 8.0
# Samples of more than 16 bits, which FLAC keeps.
DEEP = ("s32", "s32p")
# Silence of more seconds is not written out: the sound begins again at its time.
LONGEST_SILENCE = 600


def add_sound(output: Any, stream: Any, codec: str) -> Any:
    """A stream of ``codec`` in ``output`` for the sound of ``stream``, of its rate where the codec has it."""
    context = stream.codec_context
    rate, layout = encoded_rate(codec, context), encoded_layout(codec, context)
    twin = output.add_stream(codec, rate=rate)
    twin.codec_context.layout = layout
    if codec == "flac" and context.format is not None and context.format.name in DEEP:
        twin.codec_context.format = "s32"
    if codec != "flac":
        twin.codec_context.bit_rate = CHANNEL_BITS * channels_of(layout)
    twin.time_base = Fraction(1, rate)
    return twin


class SoundConverter:
    """Packets of one codec in, packets of another out, at the same times; damaged ones are ``lost``, and silence.

    ``decodes``: whether any did not fail.
    """

    def __init__(self, source: Any, target: Any) -> None:
        self._source, self._encoder = source.codec_context, target.codec_context
        self._rate = target.codec_context.sample_rate
        self._resampler: Any = None
        self._form: tuple[str, str, int] | None = None
        self._fifo: Any = None
        self._ready: list[Any] = []
        self._begins = 0
        self._taken = 0
        self.lost = 0

    @property
    def decodes(self) -> bool:
        return self._taken > 0 or not self.lost

    def __call__(self, packet: Any | None) -> list[Any]:
        """The packets that are ready; all that are left for None."""
        for frame in self._decoded(packet):
            self._take(frame)
        encoded = [one for part in self._parts(packet is None) for one in self._encoder.encode(part)]
        return encoded + (self._encoder.encode(None) if packet is None and self._taken else [])

    def _decoded(self, packet: Any | None) -> list[Any]:
        import av

        try:
            frames: list[Any] = self._source.decode(packet)
            return frames
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.lost += 1
            return []

    def _take(self, frame: Any) -> None:
        """Puts a frame's samples where its time says: what is missing before it becomes silence."""
        import av

        if self._fifo is None:
            self._begins = self._samples(frame)
            self._fifo = av.AudioFifo()
        self._suit(frame)
        gap = self._samples(frame) - self._begins - self._taken
        if gap > LONGEST_SILENCE * self._rate:
            self._begin_again(self._samples(frame))
        elif gap > self._rate // 10:
            self._add(silence(self._encoder, gap))
        frame.pts = None
        for part in self._resampler.resample(frame):
            self._add(part)

    def _suit(self, frame: Any) -> None:
        """Sees to a resampler for such frames: each takes those of one form alone."""
        import av

        form = frame.format.name, frame.layout.name, frame.sample_rate
        if form == self._form:
            return
        self._flush()
        self._form = form
        self._resampler = av.AudioResampler(
            format=self._encoder.format, layout=self._encoder.layout, rate=self._rate
        )

    def _flush(self) -> None:
        """Takes what the resampler holds back."""
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                self._add(part)

    def _begin_again(self, position: int) -> None:
        """What waits goes out as it is, filled up with silence, and the next sample is that at ``position``."""
        import av

        self._add(silence(self._encoder, self._size))
        self._ready += self._drained(False)
        self._fifo = av.AudioFifo()
        self._begins = position - self._taken

    def _samples(self, frame: Any) -> int:
        if frame.pts is None or frame.time_base is None:
            return self._begins + self._taken
        return round(Fraction(frame.pts * frame.time_base * self._rate))

    def _add(self, part: Any) -> None:
        bound(part)
        part.pts = None
        self._fifo.write(part)
        self._taken += part.samples

    @property
    def _size(self) -> int:
        """Of the encoder's portions, in samples."""
        return self._encoder.frame_size or 4096

    def _parts(self, ends: bool) -> Iterator[Any]:
        """The encoder's portions of what waits, each with its time."""
        while self._ready:
            yield self._ready.pop(0)
        yield from self._drained(ends)

    def _drained(self, ends: bool) -> Iterator[Any]:
        if self._fifo is None:
            return
        if ends:
            self._flush()
        while (part := self._fifo.read(self._size)) or (ends and (part := self._fifo.read(0, True))):
            part.pts = self._begins + self._taken - self._fifo.samples - part.samples
            part.sample_rate, part.time_base = self._rate, Fraction(1, self._rate)
            yield part


def bound(frame: Any) -> None:
    """Keeps what damage made of a frame's samples from the encoder."""
    if not frame.format.name.startswith("flt"):
        return
    samples = frame.to_ndarray()
    # Also false where one is no number.
    if (abs(samples) <= LOUDEST).all():
        return
    sound = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(-LOUDEST, LOUDEST)
    for plane, row in zip(frame.planes, sound, strict=True):
        plane.update(row.tobytes().ljust(plane.buffer_size, b"\0"))


def silence(encoder: Any, samples: int) -> Any:
    """A frame without sound, in the encoder's format."""
    import av

    frame = av.AudioFrame(format=encoder.format.name, layout=encoder.layout.name, samples=samples)
    level = 0x80 if encoder.format.name.startswith("u8") else 0
    for plane in frame.planes:
        plane.update(bytes([level]) * plane.buffer_size)
    frame.sample_rate = encoder.sample_rate
    return frame
