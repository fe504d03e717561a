"""Encode an image once and decode it at many sizes: python examples/many_sizes.py photo.png sizes 480 720 1080

The encoder is the dear part and sees the input alone, so each further size costs its decoder only.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from edge_sr import Upscaler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("heights", type=int, nargs="+")
    parser.add_argument("--model", default="diinn-edge")
    asked = parser.parse_args()

    frame = np.asarray(Image.open(asked.source).convert("RGB"))
    asked.target.mkdir(exist_ok=True)
    with Upscaler(asked.model) as up:
        encoded = up.encode(frame)
        for height in asked.heights:
            began = time.perf_counter()
            larger = up.decode(encoded, height=height)
            spent = 1000 * (time.perf_counter() - began)
            Image.fromarray(larger).save(asked.target / f"{asked.source.stem}-{height}.png")
            print(f"{larger.shape[1]}x{larger.shape[0]}: {spent:.0f} ms")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"many_sizes.py: {error}")
