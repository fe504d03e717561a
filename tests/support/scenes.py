"""Made-up references for calibration: different scenes, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from edge_sr.resample import resize
from edge_sr.video.hr_references import HrReference


def scene(seed: int, width: int = 96, height: int = 80) -> np.ndarray:
    """Smooth blobs with hard-edged boxes on them: uint8 RGB."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    picture = resize(coarse, (width, height))
    for _ in range(5):
        x, y = int(random.integers(0, width - 20)), int(random.integers(0, height - 20))
        picture[y : y + 12, x : x + 16] = random.integers(0, 256, 3, dtype=np.uint8)
    return picture


def references(count: int, **size: int) -> list[HrReference]:
    return [HrReference(f"scene {seed}", scene(seed, **size)) for seed in range(count)]


def write_scenes(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        Image.fromarray(scene(seed)).save(folder / f"{seed:02}.png")
    return folder
