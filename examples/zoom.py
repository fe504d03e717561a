"""Zoom into a region of an image, step by step: python examples/zoom.py photo.png steps --region 40,20,64,36

Every step decodes only the region it shows, from one encoding, and equals that crop of the whole picture at its scale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from edge_sr import Upscaler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--region", required=True, metavar="X,Y,W,H", help="in pixels of the image")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--model", default="diinn-edge")
    asked = parser.parse_args()

    frame = np.asarray(Image.open(asked.source).convert("RGB"))
    asked.target.mkdir(exist_ok=True)
    height, width = frame.shape[:2]
    x, y, w, h = map(int, asked.region.split(","))
    with Upscaler(asked.model) as up:
        encoded = up.encode(frame)
        for step in range(asked.steps):
            share = step / max(1, asked.steps - 1)
            # From the whole image to the region, each shown as wide as the whole image is.
            left, top = round(x * share), round(y * share)
            part = (left, top, round(width + (w - width) * share), round(height + (h - height) * share))
            shown = up.decode(encoded, scale=width / part[2], region=part)
            Image.fromarray(shown).save(asked.target / f"{step}.png")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"zoom.py: {error}")
