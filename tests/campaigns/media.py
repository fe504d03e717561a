"""Damaged films and pictures: `upscale` of a mutated seed ends as it should, and what it writes is whole."""

from __future__ import annotations

import contextlib
import io
import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from campaign import Case, Outcome, command_line
from mutations import mutated
from PIL import Image
from processes import Limits, apart, run

FRAMES, SIZE = 10, (64, 48)
LIMITS = Limits(cpu_seconds=90)
# Extension: video codec, sound codec.
FILMS: dict[str, tuple[str, str | None]] = {
    "mkv": ("libx264", "aac"),
    "mp4": ("libx264", "aac"),
    "mov": ("mpeg4", "pcm_s16le"),
    "webm": ("libvpx", "libopus"),
    "avi": ("mjpeg", "pcm_s16le"),
    "ts": ("libx264", "mp2"),
    "flv": ("libx264", "aac"),
    "wmv": ("mpeg4", "aac"),
    "vob": ("mpeg2video", "mp2"),
    "mxf": ("mpeg2video", "pcm_s16le"),
    "nut": ("ffv1", "flac"),
    "ogv": ("libvpx", "libopus"),
    "y4m": ("rawvideo", None),
    "gif": ("gif", None),
    "h264": ("libx264", None),
    "hevc": ("libx265", None),
}
PICTURES = ("png", "jpg", "webp", "bmp", "tiff", "ppm", "tga", "jp2", "avif", "ico", "pcx", "sgi")
MODES = {"png": ("RGB", "RGBA", "L", "P", "I;16"), "tiff": ("RGB", "L", "CMYK"), "webp": ("RGB", "RGBA")}


def setup(seeds: Path) -> None:
    for extension, (video, sound) in FILMS.items():
        with contextlib.suppress(av.error.FFmpegError, ValueError):  # this FFmpeg lacks an encoder
            _film(seeds / f"film.{extension}", video, sound)
    for extension in PICTURES:
        for mode in MODES.get(extension, ("RGB",)):
            with contextlib.suppress(OSError, KeyError, ValueError):  # this Pillow lacks a format
                _picture(seeds / f"picture-{mode.replace(';', '')}.{extension}", mode)


def _film(path: Path, video: str, sound: str | None) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video, rate=25)
        stream.width, stream.height = SIZE
        formats = stream.codec_context.codec.video_formats or []
        names = [each.name for each in formats]
        stream.pix_fmt = "yuv420p" if "yuv420p" in names or not names else names[0]
        if video == "mjpeg":
            stream.pix_fmt = "yuvj420p"
        voice = None if sound is None else container.add_stream(sound, rate=48000, layout="stereo")
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(_card(number), format="rgb24").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None:
            _sound(container, voice)


def _sound(container: av.container.OutputContainer, voice: av.AudioStream) -> None:
    wave = np.sin(np.arange(19200) / 20).astype(np.float32)[None]
    samples = av.AudioFrame.from_ndarray(np.repeat(wave, 2, 0), format="fltp", layout="stereo")
    samples.rate, samples.pts = 48000, 0
    resampler = av.AudioResampler(voice.format, "stereo", 48000, voice.frame_size or 1152)
    for frame in [*resampler.resample(samples), *resampler.resample(None)]:
        container.mux(voice.encode(frame))
    container.mux(voice.encode(None))


def _card(number: int) -> np.ndarray:
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return np.stack([x * 3 + number * 5, y * 4, x + y + number], -1).astype(np.uint8)


def _picture(path: Path, mode: str) -> None:
    image = Image.fromarray(_card(0))
    if mode == "I;16":
        image = Image.fromarray(_card(0)[..., 0].astype(np.uint16) * 257)
    buffer = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(
        buffer, Image.registered_extensions()[path.suffix]
    )
    path.write_bytes(buffer.getvalue())


def work(case: Case) -> Outcome:
    dice, sandbox = case.dice, case.sandbox
    seed = dice.choice(sorted(case.seeds.iterdir()))
    given = sandbox.given / seed.name
    given.write_bytes(_damaged(seed, sorted(case.seeds.iterdir()), dice))
    film = seed.name.startswith("film")
    output = (
        sandbox.out / f"out.{dice.choice(('mkv', 'mp4', 'mov') if film else ('png', 'jpg', 'tiff', 'webp'))}"
    )
    words = [
        "upscale",
        given,
        "-o",
        output,
        "--scale",
        dice.choice(("1", "1.5", "2")),
        "--model",
        "diinn-nano",
    ]
    words += ["--backend", "native", "--precision", "fp32", "--threads", "1", *_options(film, dice)]
    sandbox.seal()
    ended = run(words, folder=sandbox.here, environment=sandbox.environment, limits=LIMITS)
    faults = sandbox.faults(ended, LIMITS)
    if output.exists() and ended.code in (0, 4):
        answer = apart(lambda: _decoded(output, film))
        faults += [] if answer == "" else [f"exit {ended.code} left {output.name}: {answer}"]
    elif output.exists():
        faults.append(f"exit {ended.code} left something under the final name")
    elif ended.code == 0:
        faults.append("exit 0 without an output")
    return Outcome(f"exit {ended.code}", (*faults, *([] if not faults else [f"{seed.name} {words}"])))


def _damaged(seed: Path, others: list[Path], dice: random.Random) -> bytes:
    data = seed.read_bytes()
    if dice.random() < 0.03:
        return data + dice.choice(others).read_bytes()
    if dice.random() < 0.03:
        return dice.randbytes(dice.choice((0, 1, 3, 100, 5000)))
    return mutated(data, dice)


def _options(film: bool, dice: random.Random) -> list[str]:
    options = ["--strict"] if dice.random() < 0.2 else []
    if film and dice.random() < 0.1:
        options += ["--start", "0.1", "--duration", "0.2"]
    return options + (["--json"] if dice.random() < 0.2 else [])


def _decoded(path: Path, film: bool) -> str:
    """Empty when all of it decodes."""
    if not film:
        with Image.open(path) as image:
            image.load()
        return ""
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    return "" if frames else "no frame in it"


if __name__ == "__main__":
    command_line("media", setup, work)
