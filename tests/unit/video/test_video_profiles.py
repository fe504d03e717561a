"""Films made of pictures that have a colour profile: animations, and numbered pictures."""

from __future__ import annotations

import gc
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.films import frame_pixels, frame_times
from support.upscaling import Listener, nano_request

from edge_sr.errors import MediaError, MemoryLimitError, OptionError
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.film import Film

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# One that takes red for green.
SWAPPED = SRGB.replace(b"rXYZ", b"xXYZ").replace(b"gXYZ", b"rXYZ").replace(b"xXYZ", b"gXYZ")


def animation(path: Path, frames: int = 4, **options: Any) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (frames, 16, 24, 3), dtype=np.uint8)
    first, *rest = map(Image.fromarray, noise)
    first.save(path, save_all=True, append_images=rest, duration=100, **options)
    return path


def numbered(folder: Path, profile: bytes, frames: int = 60) -> Path:
    for number in range(frames):
        Image.new("RGB", (24, 16), (number, 9, 9)).save(folder / f"p{number:02d}.png", icc_profile=profile)
    return folder / "p%02d.png"


MAKERS = (
    lambda folder, profile: animation(folder / "a.png", icc_profile=profile),
    lambda folder, profile: animation(folder / "a.avif", icc_profile=profile),
    numbered,
)


def request(path: Path, **changes: Any) -> Request:
    return nano_request(path, path.with_suffix(".mkv"), **{"scale": Fraction(2), **changes})


@pytest.mark.parametrize(
    ("profile", "lost"), [(SWAPPED, ["the colour profile"]), (SRGB, [])], ids=["another's", "sRGB's"]
)
@pytest.mark.parametrize("make", MAKERS, ids=["png", "avif", "numbered"])
def test_pictures_with_a_profile_are_read_and_its_loss_is_named(
    tmp_path: Path, make: Any, profile: bytes, lost: list[str]
) -> None:
    """PyAV and FFmpeg both free the profile's name, which ends the process, unless one is kept from it."""
    for _ in range(3):
        with Film(str(make(tmp_path, profile))) as film:
            count = sum(1 for _ in film.frames())
            assert film.lost == lost
        gc.collect()
    assert count in (4, 60)


def test_an_animated_webp_becomes_srgb_by_its_profile(tmp_path: Path) -> None:
    first, second = (Image.new("RGBA", (24, 16), (250, 10, 10, alpha)) for alpha in (255, 90))
    path = tmp_path / "a.webp"
    first.save(
        path,
        save_all=True,
        append_images=[second],
        duration=100,
        lossless=True,
        exact=True,
        icc_profile=SWAPPED,
    )
    heard = Listener()
    report = upscale(request(path, codec="ffv1", strict=True), Controls(heard))
    assert report.dropped == ()
    assert "note: the animation becomes sRGB, by its colour profile" in heard.said
    shown = np.array([picture[8, 8] for picture in frame_pixels(Path(report.output), "rgba")]).astype(int)
    assert np.abs(shown - [[10, 250, 10, 255], [10, 250, 10, 90]]).max() < 12


@pytest.mark.parametrize("apart", [False, True], ids=["first", "apart"])
def test_an_animated_png_becomes_srgb_by_its_profile_at_its_own_times(tmp_path: Path, apart: bool) -> None:
    path = tmp_path / "a.png"
    still = Image.new("RGB", (24, 16), (9, 9, 9))
    cards = [Image.new("RGB", (24, 16), (250, 10, level)) for level in range(10, 90, 2)]
    first, *rest = [still, *cards] if apart else cards
    first.save(
        path, save_all=True, append_images=rest, duration=100 / 3, default_image=apart, icc_profile=SWAPPED
    )
    heard = Listener()
    report = upscale(request(path, codec="ffv1", strict=True), Controls(heard))
    assert (report.frames, report.dropped) == (40, ())
    assert "note: the animation becomes sRGB, by its colour profile" in heard.said
    shown = frame_pixels(Path(report.output), "rgb24")[0][8, 8].astype(int)
    assert np.abs(shown - [10, 250, 10]).max() < 12
    assert abs(frame_times(Path(report.output))[-1] - frame_times(path)[-1]) < Fraction(1, 500)


def test_a_profile_that_says_nothing_of_an_animation_is_named(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp", icc_profile=b"no profile")
    heard = Listener()
    upscale(request(path), Controls(heard))
    assert [text for text in heard.said if text.startswith("warning: the colour profile")]
    with pytest.raises(MediaError, match="--strict"):
        upscale(request(path, strict=True, overwrite=True))


def test_an_animation_is_too_large_before_it_is_decoded(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp")
    whole = path.read_bytes()
    # Its canvas, less one, in 24 bits a side.
    canvas = whole.index(b"VP8X") + 12
    for sides, error in (((40, 4_000_000), OptionError), ((60_000, 60_000), MemoryLimitError)):
        told = b"".join(struct.pack("<I", side - 1)[:3] for side in sides)
        path.write_bytes(whole[:canvas] + told + whole[canvas + 6 :])
        with pytest.raises(error):
            upscale(request(path, scale=Fraction(1)))
        assert list(tmp_path.iterdir()) == [path]
