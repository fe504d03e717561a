"""What INT8 loses against FP32 picture by picture, by the protocol of ``docs/guides/measuring.md``.

    python benchmarks/int8_loss.py BUNDLE FOLDER [--scales 1.5,2,2.5,3,4] [--every 3] [--side 540] [--json]

``--every 3`` takes every third picture, ``--side`` cuts pictures to their middle.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.evaluation.hr_set import find_references
from edge_sr.evaluation.pairs import pairs
from edge_sr.quality import psnr_y
from edge_sr.sizes import parse_scale
from edge_sr.upscaler import Upscaler
from edge_sr.video.hr_references import HrReference


class Loss(NamedTuple):
    """dB of luma PSNR that one picture loses, and what FP32 has."""

    db: float
    picture: str
    fp32_db: float


def middle(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The middle of at most ``side`` pixels each way; all of it for 0."""
    if side == 0:
        return pixels
    top, left = (max(0, (length - side) // 2) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def read(folder: Path, every: int, side: int) -> list[HrReference]:
    found = find_references(folder, 16)
    chosen = dataclasses.replace(found, pictures=found.pictures[::every])
    return [HrReference(one.name, middle(one.pixels, side)) for one in chosen]


def losses(references: list[HrReference], scale: str, fp32: Upscaler, int8: Upscaler) -> list[Loss]:
    exact = parse_scale(scale)
    made = []
    for pair in pairs(references, exact):
        fp32_db, int8_db = (psnr_y(up(pair.low, size=pair.size), pair.high, exact) for up in (fp32, int8))
        made.append(Loss(fp32_db - int8_db, pair.name, fp32_db))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scales", default="1.5,2,2.5,3,4")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--backend", default="native")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    references = read(options.folder, options.every, options.side)
    found = {}
    with (
        Upscaler(options.bundle, backend=options.backend, precision="fp32") as fp32,
        Upscaler(options.bundle, backend=options.backend, precision="int8") as int8,
    ):
        for scale in options.scales.split(","):
            entries = losses(references, scale, fp32, int8)
            worst, mean = max(entries), sum(entry.db for entry in entries) / len(entries)
            found[scale] = {"mean_db": mean, "pictures": len(entries), "worst": worst._asdict()}
            if not options.json:
                worst_one = f"worst {worst.db:+.4f} dB ({worst.picture}, {worst.fp32_db:.2f} dB in fp32)"
                print(f"x{scale}: mean {mean:+.4f} dB over {len(entries)}, {worst_one}", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
