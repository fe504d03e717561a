"""Makes docs/images/before-after.png from the sample film: the same part by bicubic and by diinn-edge, at 100 %.

Usage: python docs/images/make.py
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

from edge_sr import Upscaler
from edge_sr.resample import resize

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "tests" / "samples" / "bunny.mp4"
FRAME, SCALE = 20, 4
REGION = (88, 4, 108, 90)  # x, y, width, height in the film's pixels


def frame_of(film: Path, index: int) -> np.ndarray:
    with av.open(str(film)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i == index:
                return frame.to_ndarray(format="rgb24")
    raise SystemExit(f"{film} has no frame {index}")


def main() -> None:
    picture = frame_of(SAMPLE, FRAME)
    height, width = picture.shape[:2]
    x, y, w, h = (SCALE * side for side in REGION)
    before = resize(picture, (width * SCALE, height * SCALE))[y : y + h, x : x + w]
    with Upscaler("diinn-edge") as up:
        after = up(picture, scale=SCALE, region=REGION)
    gap = np.full((h, 8, 3), 255, np.uint8)
    Image.fromarray(np.concatenate([before, gap, after], axis=1)).save(
        HERE / "before-after.png", optimize=True
    )


if __name__ == "__main__":
    main()
