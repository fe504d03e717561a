"""How networks do on what a codec has worn: films shrunk by 2, sent through x264, enlarged by 2 again.

    python benchmarks/worn_films.py CLIPS [BUNDLE...] [--crf 23,30] [--json]

Luma PSNR against the film as it was, the mean of the third, sixth and ninth frame, of the middle 640 x 480
pixels at most; VMAF of the same frames where FFmpeg has it. ``flicker``: three still pictures under fresh
noise, 21 frames each; how many times larger than in the decoded film the difference between consecutive
frames is. Test patterns, HDR and films of fewer than nine
frames are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
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
from edge_sr.evaluation.hr_references import eight_bits
from edge_sr.evaluation.vmaf import find_ffmpeg, vmaf
from edge_sr.quality import psnr_y
from edge_sr.resample import resize, to_levels
from edge_sr.training.data.degradation import Codec, Scene, through
from edge_sr.video.colour import BT709, Colour
from edge_sr.video.film.film import Film
from edge_sr.video.pixels import ToRgb

Picture = NDArray[np.uint8]
Enlarge = Callable[[Picture], Picture]
X264 = Codec("libx264", "crf", (0, 51), 1.0, (("preset", "medium"),))
HD = Colour(BT709, False, BT709, BT709)
FRAMES, JUDGED, STILL_FRAMES, NOISE = 9, (2, 5, 8), 21, 1.5
SCALE = Fraction(2)


def clip_frames(path: Path) -> list[Picture]:
    """The first frames of a film, their middle cut to sides that halve to even ones."""
    with Film(str(path)) as film:
        convert = ToRgb(film.info.colour, film.info.layout)
        upright = film.info.orientation.apply
        pictures = [upright(convert(frame.frame)) for frame in islice(film.frames(), FRAMES)]
    return [middle(eight_bits(picture)) for picture in pictures]


def middle(picture: Picture) -> Picture:
    height, width = (min(side, most) // 4 * 4 for side, most in zip(picture.shape, (480, 640), strict=False))
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def coded(frames: list[Picture], crf: int) -> list[Picture]:
    """The frames as x264 delivers them, chroma sited as films have it."""
    scene = Scene([frame.astype(np.float32) for frame in frames], left=True)
    return list(through(X264, crf, [scene], HD))


def halved(picture: Picture) -> Picture:
    small: Picture = resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2))
    return small


def lanczos(picture: Picture) -> Picture:
    large: Picture = resize(picture, (2 * picture.shape[1], 2 * picture.shape[0]), "lanczos3")
    return large


def judged(
    originals: list[Picture], worn: list[Picture], enlarge: Enlarge, ffmpeg: str | None
) -> dict[str, Any]:
    """PSNR and VMAF of one enlarger on one worn film."""
    pairs = [(enlarge(worn[index]), originals[index]) for index in JUDGED]
    scores = [vmaf(ffmpeg, *pair) for pair in pairs] if ffmpeg else []
    known = [score for score in scores if score is not None]
    return {
        "psnr_y": mean(psnr_y(*pair, SCALE) for pair in pairs),
        "vmaf": mean(known) if known else None,
    }


def unrest(frames: list[Picture]) -> float:
    """Mean absolute difference between consecutive frames, in levels."""
    return mean(float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(frames))


def still_film(picture: Picture, crf: int, seed: int) -> list[Picture]:
    """A still picture under a sensor's fresh noise, coded."""
    generator = np.random.default_rng(seed)
    noisy = (picture + generator.normal(0, NOISE, picture.shape) for _ in range(STILL_FRAMES))
    return coded([to_levels(frame).astype(np.uint8) for frame in noisy], crf)


def flicker(film: list[Picture], enlarge: Enlarge) -> float:
    return unrest([enlarge(frame) for frame in film]) / unrest(film)


def clips(folder: Path) -> Iterator[tuple[str, list[Picture]]]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".md" or path.name.startswith("testsrc"):
            continue
        with suppress(HdrError):
            frames = clip_frames(path)
            if len(frames) == FRAMES:
                yield path.stem, frames


def measure(folder: Path, enlargers: dict[str, Enlarge], crfs: list[int]) -> dict[str, Any]:
    ffmpeg = find_ffmpeg()
    rows, stills = [], []
    for name, frames in clips(folder):
        for crf in crfs:
            worn = coded([halved(frame) for frame in frames], crf)
            figures = {by: judged(frames, worn, enlarge, ffmpeg) for by, enlarge in enlargers.items()}
            rows.append({"clip": name, "crf": crf, **figures})
            print_row(rows[-1])
        stills.append(halved(frames[0]))
    films = [still_film(still, crf, seed) for seed, still in enumerate(stills[:3]) for crf in crfs]
    steady = {by: [flicker(film, enlarge) for film in films] for by, enlarge in enlargers.items()}
    return {"rows": rows, "flicker": steady}


def print_row(row: dict[str, Any]) -> None:
    told = [
        f"{by} {one['psnr_y']:.2f} dB, VMAF {one['vmaf'] or float('nan'):.1f}"
        for by, one in row.items()
        if isinstance(one, dict)
    ]
    print(f"{row['clip'][:28]:28} crf {row['crf']}: {'; '.join(told)}", file=sys.stderr, flush=True)


def summary(found: dict[str, Any], bundles: list[str], crfs: list[int]) -> Iterator[str]:
    """The last bundle above the first, and how still each is."""
    first, last = bundles[0], bundles[-1]
    for crf in crfs:
        rows = [row for row in found["rows"] if row["crf"] == crf]
        gains = [row[last]["psnr_y"] - row[first]["psnr_y"] for row in rows]
        lead = min(row[last]["psnr_y"] - row["lanczos"]["psnr_y"] for row in rows)
        line = (
            f"crf {crf}: {last} above {first} by {mean(gains):.2f} dB ({min(gains):.2f} to {max(gains):.2f})"
        )
        points = [row[last]["vmaf"] - row[first]["vmaf"] for row in rows if row[first]["vmaf"] is not None]
        line += f", VMAF {mean(points):.1f} ({min(points):.1f} to {max(points):.1f})" if points else ""
        yield f"{line}; above lanczos by at least {lead:.2f} dB"
    for by, ratios in found["flicker"].items():
        yield f"flicker {by}: {min(ratios):.2f} to {max(ratios):.2f} times the decoded film's"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path)
    parser.add_argument("bundles", nargs="*", default=["diinn-edge", "diinn-edge-video"])
    parser.add_argument("--crf", default="23,30")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    crfs = [int(crf) for crf in options.crf.split(",")]
    networks = {name: Upscaler(name, precision="fp32") for name in options.bundles}
    enlargers: dict[str, Enlarge] = {"lanczos": lanczos}
    for name, network in networks.items():
        enlargers[name] = lambda picture, network=network: network(picture, scale=2)
    found = measure(options.clips, enlargers, crfs)
    print(json.dumps(found) if options.json else "\n".join(summary(found, options.bundles, crfs)))
    for network in networks.values():
        network.close()


if __name__ == "__main__":
    main()
