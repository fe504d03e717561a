"""Makes docs/images/crops.jpg: text, a face, foliage and film, enlarged by bicubic and by the shipped networks.

Usage: python docs/images/crops.py PICTURES SCREEN

PICTURES is a folder with files of CID22's training part (CC BY-SA 4.0), SCREEN one with gb82's screenshots (CC0). The
networks' last training run learned from the photographs; the run before had kept them apart for validation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from edge_sr import Upscaler
from edge_sr.resample import resize

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "tests" / "samples" / "bunny.mp4"
# What, where from, shrunk by, region x, y, width, height in its pixels then, scale.
CUTS = (
    ("text", "screen/gb82sc_terminal.png", 3, (36, 42, 94, 32), "3.3"),
    ("face", "pictures/1428647.png", 3, (68, 40, 70, 54), "3.3"),
    ("grass", "pictures/1687147.png", 2, (20, 120, 150, 90), "2"),
    ("film", "film", 1, (118, 44, 50, 36), "6"),
)
MODELS = ("diinn-nano", "diinn-edge")
GAP, LINE = 6, 16


def picture_of(source: str, shrunk_by: int, pictures: Path, screen: Path) -> np.ndarray:
    if source == "film":
        with av.open(str(SAMPLE)) as container:
            return next(container.decode(video=0)).to_ndarray(format="rgb24")
    folder, name = source.split("/")
    path = (pictures if folder == "pictures" else screen) / name
    picture = np.asarray(Image.open(path).convert("RGB"))
    return resize(picture, (picture.shape[1] // shrunk_by, picture.shape[0] // shrunk_by))


def row(picture: np.ndarray, region: tuple[int, int, int, int], scale: str) -> list[np.ndarray]:
    x, y, width, height = (round(float(scale) * side) for side in region)
    size = tuple(round(float(scale) * side) for side in picture.shape[1::-1])
    made = [resize(picture, size)[y : y + height, x : x + width]]
    for model in MODELS:
        with Upscaler(model, backend="native", precision="fp32") as up:
            made.append(up(picture, scale=scale, region=region)[:height, :width])
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    parser.add_argument("screen", type=Path)
    given = parser.parse_args()
    rows = [
        (name, scale, row(picture_of(source, shrunk_by, given.pictures, given.screen), region, scale))
        for name, source, shrunk_by, region, scale in CUTS
    ]
    width = max(sum(part.shape[1] + GAP for part in parts) for _, _, parts in rows)
    height = sum(parts[0].shape[0] + LINE + GAP for _, _, parts in rows)
    sheet = Image.new("RGB", (width, height), "white")
    drawing, top = ImageDraw.Draw(sheet), 0
    for name, scale, parts in rows:
        left = 0
        for label, part in zip(("bicubic", *MODELS), parts, strict=True):
            drawing.text((left, top + 2), f"{name} x{scale}, {label}", fill="black")
            sheet.paste(Image.fromarray(part), (left, top + LINE))
            left += part.shape[1] + GAP
        top += parts[0].shape[0] + LINE + GAP
    sheet.save(HERE / "crops.jpg", quality=92)


if __name__ == "__main__":
    main()
