"""Films made of pictures that have a colour profile: animations, and numbered pictures."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from edge_sr.video.film.film import Film

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def animation(path: Path, frames: int = 4, **options: Any) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (frames, 16, 24, 3), dtype=np.uint8)
    first, *rest = map(Image.fromarray, noise)
    first.save(path, save_all=True, append_images=rest, duration=100, **options)
    return path


def numbered(folder: Path, frames: int = 60) -> Path:
    for number in range(frames):
        Image.new("RGB", (24, 16), (number, 9, 9)).save(folder / f"p{number:02d}.png", icc_profile=SRGB)
    return folder / "p%02d.png"


@pytest.mark.parametrize("make", [lambda folder: animation(folder / "a.png", icc_profile=SRGB), numbered])
def test_pngs_with_a_profile_are_read_and_its_loss_is_named(tmp_path: Path, make: Any) -> None:
    """PyAV and FFmpeg both free the profile's name, which ends the process, unless one is kept from it."""
    for _ in range(3):
        with Film(str(make(tmp_path))) as film:
            count = sum(1 for _ in film.frames())
            assert film.lost == ["the colour profile"]
        gc.collect()
    assert count in (4, 60)
