"""How networks do on compressed video: clips shrunk by 2, sent through a codec, enlarged by 2 again.

    python benchmarks/compressed_video.py CLIPS [BUNDLE...] [--codecs x264] [--qualities 23,30] [--noise 4] [--json]

Against the clip as it was, nine frames of the middle 640 x 480 pixels at most: luma PSNR (mean of the third, sixth
and ninth frame), VMAF and XPSNR (of all frames, by an FFmpeg that has them), and the temporal error: the mean absolute
difference between the differences of consecutive frames, in levels of luma. Beside them what a player can know: codec,
quantiser and bits a pixel. ``--noise`` adds a sensor's, of that deviation, to each clip
and its shrunken copy alike. ``flicker``: three still pictures under fresh noise, 21 frames each; how many times larger
than in the decoded film the difference between consecutive frames is. Test patterns, HDR and clips of fewer than nine
frames are left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr import Upscaler
from edge_sr.errors import HdrError
from edge_sr.evaluation.vmaf import find_ffmpeg, video_scores
from edge_sr.quality import luma, psnr_y
from edge_sr.resample import resize, to_levels
from edge_sr.training.data.degradation import LossyCodec, Scene, decoded, encoded
from edge_sr.video.film.film import Film, FilmInfo
from edge_sr.video.frames.colour import BT709, Colour
from edge_sr.video.image.still import eight_bits

Picture = NDArray[np.uint8]
Enlarge = Callable[[Picture], Picture]
HD = Colour(BT709, False, BT709, BT709)
FRAMES, JUDGED, STILL_FRAMES, STILL_NOISE = 9, (2, 5, 8), 21, 1.5
SCALE = Fraction(2)
QUIET_X265 = ("x265-params", "log-level=none:pools=none:frame-threads=1")


@dataclasses.dataclass(frozen=True)
class Coding:
    """An encoder at four qualities that it is used at, from what is archived to what is streamed."""

    codec: LossyCodec
    qualities: tuple[int, ...]


CODINGS = {
    "x264": Coding(LossyCodec("libx264", "crf", (0, 51), 1.0, (("preset", "medium"),)), (18, 23, 28, 35)),
    "x265": Coding(
        LossyCodec("libx265", "crf", (0, 51), 1.0, (("preset", "medium"), QUIET_X265)), (18, 23, 28, 35)
    ),
    "av1": Coding(LossyCodec("libsvtav1", "crf", (1, 63), 1.0, (("preset", "8"),)), (20, 30, 40, 50)),
    "vp9": Coding(
        LossyCodec("libvpx-vp9", "crf", (0, 63), 1.0, (("b", "0"), ("cpu-used", "2"))), (20, 30, 40, 50)
    ),
    "mpeg2": Coding(LossyCodec("mpeg2video", "qscale", (2, 31), 1.0), (2, 4, 8, 14)),
}


def clip_frames(path: Path) -> list[Picture]:
    """The first frames of a film, their middle cut to sides that halve to even ones."""
    from edge_sr.video.frames.pixels import ToRgb

    with Film(str(path)) as film:
        convert = ToRgb(film.info.colour, film.info.layout)
        upright = film.info.orientation.apply
        pictures = [upright(convert(frame.frame)) for frame in islice(film.frames(), FRAMES)]
    return [middle(eight_bits(picture)) for picture in pictures]


def middle(picture: Picture) -> Picture:
    height, width = (min(side, most) // 4 * 4 for side, most in zip(picture.shape, (480, 640), strict=False))
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def with_noise(frames: list[Picture], deviation: float) -> list[Picture]:
    """A sensor's fresh noise in every frame."""
    generator = np.random.default_rng(0)
    noisy = (frame + generator.normal(0, deviation, frame.shape) for frame in frames)
    return [to_levels(frame).astype(np.uint8) for frame in noisy] if deviation else frames


@dataclasses.dataclass(frozen=True)
class Coded:
    """The frames that a codec delivers, and what a player can know of the film."""

    frames: list[Picture]
    info: FilmInfo


def coded(frames: list[Picture], codec: LossyCodec, quality: int) -> Coded:
    scene = Scene([frame.astype(np.float32) for frame in frames], left=True)
    film = encoded(codec, quality, [scene], HD)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mkv"
        path.write_bytes(film.getvalue())
        with Film(str(path)) as opened:
            info = opened.info
    return Coded(list(decoded(film, HD)), info)


def halved(picture: Picture) -> Picture:
    small: Picture = resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2))
    return small


def lanczos(picture: Picture) -> Picture:
    large: Picture = resize(picture, (2 * picture.shape[1], 2 * picture.shape[0]), "lanczos3")
    return large


def judged(originals: list[Picture], film: Coded, enlarge: Enlarge, ffmpeg: str | None) -> dict[str, Any]:
    """What one enlarger makes of one film."""
    pictures = [enlarge(frame) for frame in film.frames]
    scores = video_scores(ffmpeg, pictures, originals) if ffmpeg else {}
    return {
        "psnr_y": mean(psnr_y(pictures[index], originals[index], SCALE) for index in JUDGED),
        "temporal_error": temporal_error(pictures, originals),
        "vmaf": scores.get("vmaf"),
        "xpsnr": scores.get("xpsnr"),
    }


def temporal_error(pictures: list[Picture], originals: list[Picture]) -> float:
    """How much of the change from frame to frame is wrong, in levels of luma."""
    changes = [np.diff(np.stack([luma(frame) for frame in film]), axis=0) for film in (pictures, originals)]
    return float(np.abs(changes[0] - changes[1]).mean())


def unrest(frames: list[Picture]) -> float:
    """Mean absolute difference between consecutive frames, in levels."""
    return mean(float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(frames))


def flicker(still: Picture, coding: Coding, quality: int, enlargers: dict[str, Enlarge]) -> dict[str, float]:
    """How many times larger each makes the changes; nothing where the codec kept none of the noise."""
    film = coded(with_noise([still] * STILL_FRAMES, STILL_NOISE), coding.codec, quality).frames
    change = unrest(film)
    if not change:
        return {}
    return {by: unrest([enlarge(frame) for frame in film]) / change for by, enlarge in enlargers.items()}


def clips(folder: Path) -> Iterator[tuple[str, list[Picture]]]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".md" or path.name.startswith("testsrc"):
            continue
        with suppress(HdrError):
            frames = clip_frames(path)
            if len(frames) == FRAMES:
                yield path.stem, frames


def measure(options: argparse.Namespace, enlargers: dict[str, Enlarge]) -> dict[str, Any]:
    ffmpeg = find_ffmpeg()
    codings = {name: CODINGS[name] for name in options.codecs}
    rows, stills = [], []
    for name, clean in clips(options.clips):
        frames = with_noise(clean, options.noise)
        small = [halved(frame) for frame in frames]
        for by_codec, coding in codings.items():
            for quality in options.qualities or coding.qualities:
                film = coded(small, coding.codec, quality)
                figures = {by: judged(frames, film, one, ffmpeg) for by, one in enlargers.items()}
                rows.append({"clip": name, "coding": by_codec, "quality": quality, **known(film), **figures})
                print_row(rows[-1])
        stills.append(small[0])
    steady: dict[str, list[float]] = {by: [] for by in enlargers}
    for still in stills[:3]:
        for coding in codings.values():
            for by, ratio in flicker(
                still, coding, (options.qualities or coding.qualities[1:])[0], enlargers
            ).items():
                steady[by].append(ratio)
    return {"noise_added": options.noise, "rows": rows, "flicker": steady}


def known(film: Coded) -> dict[str, Any]:
    info = film.info
    return {
        "codec": info.codec,
        "quantiser": info.quantiser,
        "bits_per_pixel": info.bits_per_pixel,
    }


def print_row(row: dict[str, Any]) -> None:
    told = [
        f"{by} {one['psnr_y']:.2f} dB, VMAF {one['vmaf'] or float('nan'):.1f}"
        for by, one in row.items()
        if isinstance(one, dict)
    ]
    head = f"{row['clip'][:24]:24} {row['coding']} {row['quality']}"
    print(f"{head}: {'; '.join(told)}", file=sys.stderr, flush=True)


def summary(found: dict[str, Any], bundles: list[str]) -> Iterator[str]:
    """The last bundle beside the first and beside Lanczos, for each codec and quality, and how still each is."""
    last, kinds = bundles[-1], sorted({(row["coding"], row["quality"]) for row in found["rows"]})
    for coding, quality in kinds:
        rows = [row for row in found["rows"] if (row["coding"], row["quality"]) == (coding, quality)]
        parts = [
            _lead(rows, last, other) for other in dict.fromkeys([bundles[0], "lanczos"]) if other != last
        ]
        yield f"{coding} {quality}: {last} {'; '.join(parts)}"
    for by, ratios in found["flicker"].items():
        if not ratios:
            continue
        yield f"flicker {by}: {min(ratios):.2f} to {max(ratios):.2f} times the decoded film's"


def _lead(rows: list[dict[str, Any]], one: str, other: str) -> str:
    told = []
    for figure, unit in (
        ("psnr_y", "dB"),
        ("vmaf", "VMAF"),
        ("xpsnr", "dB XPSNR"),
        ("temporal_error", "levels"),
    ):
        gains = [row[one][figure] - row[other][figure] for row in rows if row[one][figure] is not None]
        if gains:
            told.append(f"{mean(gains):+.2f} ({min(gains):+.2f} to {max(gains):+.2f}) {unit}")
    return f"over {other}: {', '.join(told)}"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path)
    parser.add_argument("bundles", nargs="*", default=["diinn-edge", "diinn-edge-video"])
    parser.add_argument("--codecs", type=lambda text: text.split(","), default=list(CODINGS))
    numbers = "on each codec's own scale; by default four of its own"
    parser.add_argument("--qualities", type=_numbers, metavar="N,...", help=numbers)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unknown = [name for name in options.codecs if name not in CODINGS]
    if unknown:
        parser.error(f"no codec {unknown[0]!r}; known: {', '.join(CODINGS)}")
    return options


def main() -> None:
    options = arguments()
    networks = {name: Upscaler(name, precision="fp32") for name in options.bundles}
    enlargers: dict[str, Enlarge] = {"lanczos": lanczos}
    for name, network in networks.items():
        enlargers[name] = lambda picture, network=network: network(picture, scale=2)
    found = measure(options, enlargers)
    print(json.dumps(found) if options.json else "\n".join(summary(found, options.bundles)))
    for network in networks.values():
        network.close()


if __name__ == "__main__":
    main()
