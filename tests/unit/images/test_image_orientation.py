"""TIFFs are turned once, as their tag says, whichever reader their pixels come from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.images import write_tiff
from support.upscaling import run

from edge_sr.tensors import reference_card
from edge_sr.video.image.read import read_info, read_still

CARD = reference_card(30, 20)
DEEP = CARD.astype(np.uint16) * 257
# What is written and the tags that say so: read by Pillow, in two passes, or by FFmpeg.
LAYOUTS = {
    "RGB of 8 bits": (CARD, {}),
    "grey of 8 bits": (CARD[..., :1], {}),
    "RGB of 16 bits": (DEEP, {}),
    "RGBA of 16 bits": (np.concatenate([DEEP, DEEP[..., :1]], axis=2), {338: 2}),
    "grey of 16 bits": (DEEP[..., :1], {}),
    "planes of 16 bits": (DEEP.transpose(2, 0, 1), {284: 2}),
    "grey and alpha of 16 bits": (DEEP[..., :2], {262: 1, 338: 2}),
}


def turned(picture: np.ndarray, orientation: int) -> np.ndarray:
    image = Image.fromarray(picture)
    image.getexif()[274] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tiff_is_turned_once(tmp_path: Path, layout: str, orientation: int) -> None:
    samples, tags = LAYOUTS[layout]
    path = tmp_path / "picture.tif"
    write_tiff(path, samples, {**tags, 274: orientation})
    still, wanted = read_still(path), turned(CARD, orientation)
    assert read_info(path).size == (wanted.shape[1], wanted.shape[0])
    pixels = still.pixels if still.pixels.dtype == np.uint8 else np.rint(still.pixels * 255)
    if still.grey:
        wanted = np.repeat(wanted[..., :1], 3, axis=2)
    assert np.array_equal(pixels, wanted)
    if still.alpha is not None:
        alpha = np.rint(still.alpha * 255)
        assert np.array_equal(alpha, turned(CARD, orientation)[..., 1 if still.grey else 0])


def test_pages_are_turned_each_for_itself(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    page = Image.fromarray(CARD)
    page.save(tmp_path / "scan.tif", save_all=True, append_images=[page], exif=exif)
    report = run(tmp_path / "scan.tif", scale=Fraction(2))
    with Image.open(report.output) as image:
        assert image.n_frames == 2  # type: ignore[attr-defined]
        sizes = []
        for number in range(2):
            image.seek(number)
            sizes.append(image.size)
    assert sizes == [(40, 60), (40, 60)]
