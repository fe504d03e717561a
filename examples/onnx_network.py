"""Bring an ONNX network from image to image: python examples/onnx_network.py net.onnx net photo.png larger.png

Exporting needs the extra `export`; the bundle that it writes runs without.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from edge_sr import Upscaler, open_bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    asked = parser.parse_args()

    if not asked.bundle.exists():
        words = ["export", str(asked.network), "-o", str(asked.bundle)]
        subprocess.run([sys.executable, "-m", "edge_sr", *words], check=True)
    bundle = open_bundle(asked.bundle)
    print(f"{bundle.name}: {bundle.kind}, x{bundle.description.scale}")

    frame = np.asarray(Image.open(asked.source).convert("RGB"))
    with Upscaler(bundle) as up:
        # A network of one whole scale serves any other too: its result is resampled.
        Image.fromarray(up(frame, scale=1.5)).save(asked.target)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"onnx_network.py: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # the command has said why
