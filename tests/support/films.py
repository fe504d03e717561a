"""Small films made on the spot, with whatever a test wants in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from edge_sr.video.opening import open_encoder


@dataclasses.dataclass(frozen=True)
class Making:
    """How a film is made; every default is the plainest there is."""

    size: tuple[int, int] = (64, 48)
    frames: int = 12
    times: Sequence[int] | None = None
    time_base: Fraction = Fraction(1, 25)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    colours: tuple[int, int, int, int] = (1, 1, 1, 1)  # matrix, range, primaries, transfer
    aspect: Fraction = Fraction(1)
    rotation: int = 0
    interlaced: bool = False
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    audio: tuple[str, ...] = ()
    subtitles: tuple[tuple[str, int, int], ...] = ()  # text, begin and end in milliseconds
    chapters: tuple[tuple[str, int, int], ...] = ()
    attachments: tuple[tuple[str, str, bytes], ...] = ()
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


def moving_picture(size: tuple[int, int], index: int) -> np.ndarray:
    """uint8 RGB: a gradient that drifts, with a square that moves over it."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([(x * 3 + index * 2) % 256, (y * 4) % 256, (x + y + index * 5) % 256], axis=-1).astype(
        np.uint8
    )
    side = max(2, min(size) // 4)
    left = (index * 3) % max(1, width - side)
    picture[height // 3 : height // 3 + side, left : left + side] = (250, 40, 30)
    return picture


def make_film(path: Path, making: Making = Making()) -> Path:
    """Writes the film and returns its path."""
    with av.open(str(path), "w") as container:
        container.metadata.update(making.metadata)
        container.set_chapters(
            [_chapter(*chapter, number) for number, chapter in enumerate(making.chapters, 1)]
        )
        video = _video_stream(container, making)
        sounds = [_audio_stream(container, language) for language in making.audio]
        words = _subtitle_stream(container) if making.subtitles else None
        for name, kind, data in making.attachments:
            container.add_attachment(name, kind, data)
        container.start_encoding()
        _write_video(container, video, making)
        for sound in sounds:
            _write_audio(container, sound, _seconds(making))
        _write_subtitles(container, words, making)
    return path


def _chapter(title: str, begin: int, end: int, number: int) -> Any:
    return {
        "id": number,
        "start": begin,
        "end": end,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }


def _video_stream(container: Any, making: Making) -> Any:
    stream = container.add_stream(making.codec, rate=25)
    stream.width, stream.height = making.size
    stream.pix_fmt = making.pixel_format
    context = stream.codec_context
    context.time_base = stream.time_base = making.time_base
    context.sample_aspect_ratio = making.aspect
    context.colorspace, context.color_range, context.color_primaries, context.color_trc = making.colours
    context.thread_count = 1
    fast = {"preset": "veryfast", "crf": "12"} if making.codec == "libx264" else {}
    context.options = {**fast, **making.options}
    if making.rotation:
        stream.set_display_rotation(making.rotation)
    if making.interlaced:
        context.options = {**context.options, "flags": "+ilme+ildct", "x264-params": "tff=1"}
    if making.codec == "libsvtav1":  # which would leave the process real-time
        open_encoder(context)
    return stream


def _write_video(container: Any, stream: Any, making: Making) -> None:
    times = making.times or [
        round(index * Fraction(1, 25) / making.time_base) for index in range(making.frames)
    ]
    for index, pts in enumerate(times):
        picture = moving_picture(making.size, index)
        if making.interlaced:
            picture[1::2] = moving_picture(making.size, index + 1)[1::2]
        frame = av.VideoFrame.from_ndarray(picture).reformat(
            format=making.pixel_format,
            threads=1,
            dst_colorspace=5 if making.colours[0] in (5, 6) else 1,
            src_color_range=2,
            dst_color_range=making.colours[1] or 1,
        )
        frame.pts, frame.time_base = pts, making.time_base
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _audio_stream(container: Any, language: str) -> Any:
    stream = container.add_stream("flac" if container.format.name == "matroska" else "aac", rate=16000)
    stream.metadata["language"] = language
    return stream


def _write_audio(container: Any, stream: Any, seconds: Fraction) -> None:
    tone = np.sin(np.arange(int(16000 * seconds)) * 0.17) * 8000
    layout = stream.codec_context.layout.name
    channels = stream.codec_context.layout.nb_channels
    frame = av.AudioFrame.from_ndarray(np.repeat(tone.astype(np.int16), channels)[None], "s16", layout)
    frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=16000)
    fifo = av.AudioFifo()
    for part in resampler.resample(frame):
        fifo.write(part)
    size = stream.codec_context.frame_size or 1024
    while (part := fifo.read(size)) or (part := fifo.read(0)):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def _subtitle_stream(container: Any) -> Any:
    stream = container.add_mux_stream("subrip" if container.format.name == "matroska" else "mov_text")
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "eng"
    return stream


def _write_subtitles(container: Any, stream: Any, making: Making) -> None:
    for text, begin, end in making.subtitles:
        packet = av.Packet(text.encode())
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = begin
        packet.duration = end - begin
        container.mux(packet)


def _seconds(making: Making) -> Fraction:
    return Fraction(max(making.times) * making.time_base if making.times else Fraction(making.frames, 25))


def frame_times(path: Path) -> list[Fraction]:
    """The exact time of every frame, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def frame_pixels(path: Path, pixel_format: str | None = None) -> list[np.ndarray]:
    """Every frame as an array, in its own format or another."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [frame.reformat(format=pixel_format, threads=1).to_ndarray() for frame in frames]


def packets(path: Path, kind: str) -> list[list[tuple[Fraction, bytes]]]:
    """For each track of a kind, the time and content of every packet."""
    with av.open(str(path)) as container:
        found: dict[int, list[tuple[Fraction, bytes]]] = {
            stream.index: [] for stream in container.streams if stream.type == kind
        }
        for packet in container.demux([container.streams[index] for index in found]) if found else ():
            if packet.size:
                found[packet.stream_index].append((packet.pts * packet.time_base, bytes(packet)))
        return list(found.values())
