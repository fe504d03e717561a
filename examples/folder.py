"""Upscale every PNG and JPEG of a folder: python examples/folder.py photos larger --scale 2.7"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from edge_sr import Upscaler

SUFFIXES = {".png", ".jpg", ".jpeg"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--scale", default="2")
    parser.add_argument("--model", default="diinn-edge")
    asked = parser.parse_args()

    pictures = sorted(path for path in asked.source.iterdir() if path.suffix.lower() in SUFFIXES)
    asked.target.mkdir(exist_ok=True)
    # The network is opened once for all images, whatever their sizes.
    with Upscaler(asked.model) as up:
        for path in pictures:
            frame = np.asarray(Image.open(path).convert("RGB"))
            larger = up(frame, scale=asked.scale)
            Image.fromarray(larger).save(asked.target / path.name)
            print(f"{path.name}: {larger.shape[1]}x{larger.shape[0]}")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"folder.py: {error}")
