"""What cameras and streams do to LR crops: mild blur and noise, 4:2:0 with one siting or another, a codec.

Crops of one scale become a film of short scenes, each a crop that moves a little and comes to rest; the
codec's picture of the last frame is what training sees.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MissingError
from edge_sr.training.data.pictures import Pixels
from edge_sr.video.frames.colour import BT709, SMPTE170M, Colour
from edge_sr.video.frames.matrix import rgb_to_yuv
from edge_sr.video.frames.pixels import PixelLayout, ToRgb
from edge_sr.video.opening import open_encoder

if TYPE_CHECKING:
    import av

SCENE = 3
# x265 fails, and has been seen to crash, on pictures smaller than its largest block.
BLOCK = 64
BLUR_SHARE, NOISE_SHARE = 0.3, 0.4
MOST_BLUR, MOST_NOISE = 0.6, 3.0
LAYOUT = PixelLayout(8, "420")


@dataclasses.dataclass(frozen=True)
class LossyCodec:
    """An encoder as FFmpeg names it, how it is told its quality, and the share of the scenes that it gets."""

    name: str
    option: str
    range: tuple[int, int]
    share: float
    extra: tuple[tuple[str, str], ...] = ()


# From what is hardly to be told from the original to what crf 37 leaves of H.264. MJPEG's and MPEG-2's scales run
# from 2 (best) to 31.
CODECS = (
    LossyCodec("libx264", "crf", (12, 37), 0.4, (("preset", "fast"),)),
    LossyCodec(
        "libx265",
        "crf",
        (12, 37),
        0.2,
        (("preset", "superfast"), ("x265-params", "log-level=none:pools=none:frame-threads=1")),
    ),
    LossyCodec("libsvtav1", "crf", (15, 52), 0.15, (("preset", "10"), ("svtav1-params", "lp=1"))),
    LossyCodec("libvpx-vp9", "crf", (15, 52), 0.1, (("b", "0"), ("cpu-used", "5"))),
    LossyCodec("mpeg2video", "qscale", (2, 14), 0.07),
    LossyCodec("mjpeg", "qscale", (2, 9), 0.08),
)


class CodecDegradation:
    """Degrades stacks of crops; all chance comes from ``seed``, and encoders run on one thread."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def __call__(self, crops: Pixels) -> Pixels:
        """uint8 ``n x h x w x 3`` as a codec delivers it, same shape."""
        height, width = crops.shape[1:3]
        padding = ((0, 0), (0, -height % BLOCK), (0, -width % BLOCK), (0, 0))
        padded = np.pad(crops, padding, "edge")
        out = np.empty_like(padded)
        for chosen in self._films(len(padded)):
            codec, quality = self._codec()
            seen = [self._seen(padded[index]) for index in chosen]
            out[chosen] = through(codec, quality, seen, self._colour(codec))[SCENE - 1 :: SCENE]
        return out[:, :height, :width]

    def _films(self, count: int) -> Iterator[NDArray[np.int64]]:
        """Crops in films of sixteen scenes, in random order, so that each film can have its own quality."""
        order = self._generator.permutation(count)
        for first in range(0, count, 16):
            yield order[first : first + 16]

    def _codec(self) -> tuple[LossyCodec, int]:
        codec = CODECS[self._generator.choice(len(CODECS), p=[codec.share for codec in CODECS])]
        return codec, int(self._generator.integers(codec.range[0], codec.range[1] + 1))

    def _colour(self, codec: LossyCodec) -> Colour:
        matrix = BT709 if self._generator.random() < 0.5 and codec.name != "mjpeg" else SMPTE170M
        return Colour(matrix, codec.name == "mjpeg", matrix, matrix)

    def _seen(self, crop: Pixels) -> Scene:
        """A scene of ``crop`` as a lens and a sensor give it."""
        picture = crop.astype(np.float32)
        if self._generator.random() < BLUR_SHARE:
            picture = blurred(picture, self._generator.uniform(0.2, MOST_BLUR))
        spread = self._generator.uniform(0.5, MOST_NOISE) if self._generator.random() < NOISE_SHARE else 0.0
        motion = self._generator.integers(-2, 3, 2)
        frames = [np.roll(picture, (SCENE - 1 - i) * motion, (0, 1)) for i in range(SCENE)]
        noisy = [np.clip(self._noisy(frame, spread), 0, 255) for frame in frames]
        return Scene(noisy, bool(self._generator.random() < 0.5))

    def _noisy(self, frame: NDArray[np.float32], spread: float) -> NDArray[np.float32]:
        """Noise of its own for every frame: a codec keeps other parts of it each time, and that is flicker."""
        if not spread:
            return frame
        return frame + np.float32(spread) * self._generator.standard_normal(frame.shape, np.float32)


@dataclasses.dataclass(frozen=True)
class Scene:
    """Frames ``h x w x 3`` in levels of 0 to 255, float32, and where chroma lies."""

    frames: list[NDArray[np.float32]]
    left: bool


def blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian of ``sigma`` pixels, three taps an axis, edges repeated."""
    side = float(np.exp(-0.5 / sigma**2))
    taps = np.array([side, 1.0, side], np.float32) / (1 + 2 * side)
    for axis in (0, 1):
        padded = np.pad(picture, [(1, 1) if axis == i else (0, 0) for i in range(3)], "edge")
        parts = [np.take(padded, np.arange(i, i + picture.shape[axis]), axis) for i in range(3)]
        picture = sum((tap * part for tap, part in zip(taps, parts, strict=True)), np.zeros_like(picture))
    return picture


def through(codec: LossyCodec, quality: int, scenes: list[Scene], colour: Colour) -> Pixels:
    """Every frame of the scenes in turn, uint8 RGB, after ``codec``; ``MissingError`` when FFmpeg lacks it."""
    return decoded(encoded(codec, quality, scenes, colour), colour)


def decoded(film: io.BytesIO, colour: Colour) -> Pixels:
    """All frames of a film, uint8 RGB."""
    convert = ToRgb(colour, LAYOUT)
    return np.stack([convert(frame) for frame in _decode(film)])


def encoded(codec: LossyCodec, quality: int, scenes: list[Scene], colour: Colour) -> io.BytesIO:
    """The scenes, one after the other, as a Matroska film of 25 frames a second."""
    import av

    film = io.BytesIO()
    with av.open(film, "w", format="matroska") as container:
        stream = _stream(container, codec, quality, scenes[0].frames[0])
        for scene in scenes:
            for picture in scene.frames:
                container.mux(stream.encode(to_frame(picture, colour, scene.left, stream.pix_fmt)))
        container.mux(stream.encode(None))
    film.seek(0)
    return film


def _stream(container: Any, codec: LossyCodec, quality: int, first: NDArray[np.float32]) -> Any:
    import av

    try:
        stream = container.add_stream(codec.name, rate=25)
    except (av.codec.codec.UnknownCodecError, ValueError) as error:
        raise MissingError(f"training on codecs needs an FFmpeg with {codec.name}: {error}") from error
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuvj420p" if codec.name == "mjpeg" else "yuv420p"
    stream.thread_count = 1
    stream.gop_size = 50
    if codec.option == "qscale":
        stream.codec_context.qmin = stream.codec_context.qmax = quality
    else:
        stream.options = {codec.option: str(quality), **dict(codec.extra)}
    open_encoder(stream.codec_context)
    return stream


def _decode(film: io.BytesIO) -> Iterator[av.VideoFrame]:
    import av

    with av.open(film, "r") as container:
        container.streams.video[0].thread_count = 1
        yield from container.decode(video=0)


def to_frame(picture: NDArray[np.float32], colour: Colour, left: bool, pixel_format: str) -> av.VideoFrame:
    """4:2:0 with chroma at the left of two pixels, as films have it, or between them, as JPEG does."""
    import av

    codes = rgb_to_yuv(picture / 255, colour, 8).astype(np.float32)
    chroma = np.stack([halved(plane, left) for plane in codes[1:]])
    planes = [codes[0], *chroma]
    stacked = np.concatenate([np.rint(plane).clip(0, 255).astype(np.uint8).ravel() for plane in planes])
    return av.VideoFrame.from_ndarray(stacked.reshape(-1, picture.shape[1]), format=pixel_format)


def halved(plane: NDArray[np.float32], left: bool) -> NDArray[np.float32]:
    """Half of each axis: rows averaged in pairs, columns too or, for ``left``, 1-2-1 around even ones."""
    rows: NDArray[np.float32] = (plane[0::2] + plane[1::2]) / np.float32(2)
    if not left:
        return (rows[:, 0::2] + rows[:, 1::2]) / np.float32(2)
    before = np.concatenate((rows[:, :1], rows[:, 1:-1:2]), 1)
    return (before + 2 * rows[:, 0::2] + rows[:, 1::2]) / np.float32(4)
