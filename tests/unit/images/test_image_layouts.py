"""Every layout that people's files have becomes RGB of the same colours, in all of its bits."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image, ImageCms, features
from support.images import png, write_tiff

from edge_sr.errors import MediaError
from edge_sr.tensors import reference_card
from edge_sr.video.image.formats import BY_NAME
from edge_sr.video.image.read import read_info, read_still
from edge_sr.video.image.recognise import is_still
from edge_sr.video.image.write import write_still

CARD = reference_card(50, 40)
DEEP = CARD.astype(np.uint16) * 257 - CARD.astype(np.uint16) // 3


def levels(path: Path) -> np.ndarray:
    pixels = read_still(path).pixels
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels * 65535)


@pytest.mark.parametrize(("order", "tiled"), itertools.product("<>", (False, True)))
def test_a_tiff_of_16_bits_keeps_all_of_them(tmp_path: Path, order: str, tiled: bool) -> None:
    tags = {322: 16, 323: 16} if tiled else {}
    path = tmp_path / "deep.tif"
    write_tiff(path, DEEP, tags, order)
    assert read_info(path).deep
    assert np.array_equal(levels(path), DEEP)


def test_grey_of_16_bits_counts_from_black_whatever_zero_means(tmp_path: Path) -> None:
    path = tmp_path / "grey.tif"
    write_tiff(path, 65535 - DEEP[..., :1], {262: 0})
    still = read_still(path)
    assert still.grey
    assert np.array_equal(np.rint(still.pixels[..., 1] * 65535), DEEP[..., 0])


@pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
def test_alpha_beside_grey_counts_from_clear_whatever_zero_means(tmp_path: Path, card: np.ndarray) -> None:
    top = np.iinfo(card.dtype).max
    path = tmp_path / "white.tif"
    write_tiff(path, np.dstack([top - card[..., 0], card[..., 1]]), {262: 0, 338: 2})
    still = read_still(path)
    assert still.alpha is not None
    scale = 1 if card is CARD else top
    assert np.array_equal(np.rint(still.pixels[..., 0] * scale), card[..., 0])
    assert np.array_equal(np.rint(still.alpha * scale), card[..., 1])


def test_cmyk_with_alpha_is_said_to_have_no_profile_used(tmp_path: Path) -> None:
    path = tmp_path / "cmyk.tif"
    ink = np.asarray(Image.fromarray(CARD).convert("CMYK"))
    write_tiff(path, np.dstack([ink, CARD[..., 0]]), {262: 5, 338: 2})
    still = read_still(path)
    assert still.notes == ("the CMYK picture becomes RGB, without a CMYK colour profile",)
    assert still.alpha is not None
    assert np.array_equal(still.alpha, CARD[..., 0])


@pytest.mark.parametrize(("channels", "planar"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
def test_premultiplied_colour_is_divided_by_its_alpha(
    tmp_path: Path, card: np.ndarray, channels: int, planar: bool
) -> None:
    top = np.iinfo(card.dtype).max
    half = np.full((40, 50, 1), top // 2 + 1, card.dtype)
    samples = np.concatenate([card[..., :channels] // 2, half], axis=2)
    path = tmp_path / "half.tif"
    tags = {262: 2 if channels == 3 else 1, 338: 1}
    write_tiff(path, samples.transpose(2, 0, 1) if planar else samples, {**tags, 284: 2} if planar else tags)
    still = read_still(path)
    assert still.alpha is not None
    scale = 1 if still.pixels.dtype == np.uint8 else top
    assert np.abs(still.alpha * scale - half[..., 0]).max() < 1e-2
    assert np.abs(still.pixels * np.float32(scale) - card[..., : 3 if channels == 3 else 1]).max() < 4


@pytest.mark.parametrize("card", [CARD, DEEP, DEEP[..., :1]], ids=["RGB", "RGB of 16", "grey of 16"])
def test_a_channel_that_is_not_said_to_be_alpha_is_left_out_and_named(
    tmp_path: Path, card: np.ndarray
) -> None:
    path = tmp_path / "five.tif"
    grey = card.shape[2] == 1
    write_tiff(path, np.concatenate([card, card[..., :1]], axis=2), {262: 1 if grey else 2, 338: 0})
    still = read_still(path)
    assert still.alpha is None
    assert np.array_equal(levels(path), card.repeat(3, axis=2) if grey else card)
    assert "not said to be alpha" in still.lost[0]


def test_deep_cmyk_becomes_rgb_and_says_what_it_lost(tmp_path: Path) -> None:
    cmyk = Image.fromarray(CARD).convert("CMYK")
    path = tmp_path / "press.tif"
    write_tiff(path, np.asarray(cmyk).astype(np.uint16) * 257, {262: 5})
    still = read_still(path)
    assert np.abs(still.pixels.astype(int) - CARD).max() <= 1
    assert "8 of 16 bits" in still.lost[0]


@pytest.mark.parametrize("mode", ["LAB", "CMYK", "YCbCr", "P", "L", "1", "RGBA"])
@pytest.mark.parametrize("tiff", [True, False])
def test_a_written_picture_has_no_structure_of_the_old_file(tmp_path: Path, mode: str, tiff: bool) -> None:
    source = Image.fromarray(CARD)
    if mode == "LAB":
        made = ImageCms.profileToProfile(
            source, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert made is not None
        source = made
    else:
        source = source.convert(mode)
    source.save(tmp_path / "in.tif")
    if mode == "YCbCr" and int(PIL.__version__.partition(".")[0]) < 13:
        with pytest.raises(MediaError, match=r"Pillow [\d.]+ misreads"):
            read_still(tmp_path / "in.tif")
        return
    still = read_still(tmp_path / "in.tif")
    kind = "TIFF" if tiff else "PNG"
    assert write_still(still, tmp_path / "out", BY_NAME[kind]) == []
    with Image.open(tmp_path / "out") as image:
        assert image.size == (50, 40)
        again = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(again - still.pixels).max() <= 1
    assert np.abs(again - CARD).mean() < (4 if mode not in ("P", "L", "1") else 255)


def test_a_profile_of_cmyk_makes_the_colours(tmp_path: Path) -> None:
    path = tmp_path / "odd.jpg"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(CARD).convert("CMYK").save(path, icc_profile=profile, quality=100)
    still = read_still(path)
    assert still.metadata.icc is None
    assert "without a CMYK colour profile" in still.notes[0]


def saved(path: Path, **options: Any) -> Path:
    Image.fromarray(CARD).save(path, **options)
    return path


def test_stills_are_told_by_content(tmp_path: Path) -> None:
    second = {"save_all": True, "append_images": [Image.fromarray(255 - CARD)]}
    assert is_still(saved(tmp_path / "one.gif"))
    assert not is_still(saved(tmp_path / "two.gif", **second))
    assert not is_still(saved(tmp_path / "two.png", **second))
    assert is_still(saved(tmp_path / "phone.jpg", format="MPO", **second))
    assert is_still(saved(tmp_path / "four.jfif", format="JPEG"))
    assert is_still(saved(tmp_path / "nothing.dat", format="WEBP"))
    assert is_still(saved(tmp_path / "old.tga"))
    assert not is_still(tmp_path / "absent.png")


@pytest.mark.parametrize(("bits", "value", "kept"), [(0, 0, False), (0, 99, True), (8, 0, True)])
def test_a_tgas_fourth_byte_is_alpha_where_something_says_so(
    tmp_path: Path, bits: int, value: int, kept: bool
) -> None:
    pixels = np.dstack([CARD[..., ::-1], np.full(CARD.shape[:2], value, np.uint8)])
    path = tmp_path / "a.tga"
    path.write_bytes(
        struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 50, 40, 32, 0x20 | bits) + pixels.tobytes()
    )
    still = read_still(path)
    assert np.array_equal(still.pixels, CARD)
    assert (still.alpha is not None) == kept


def test_a_long_profile_of_jpeg_2000_hides_no_depth(tmp_path: Path) -> None:
    if not features.check("jpg_2000"):
        pytest.skip("this Pillow has no JPEG 2000")
    path = tmp_path / "a.jp2"
    Image.fromarray(DEEP[..., 0]).save(path)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(100_000)
    colours = struct.pack(">I4s3B", 11 + len(profile), b"colr", 2, 0, 0) + profile
    file = path.read_bytes()
    at = file.index(b"colr") - 4
    old = struct.unpack_from(">I", file, at)[0]
    header = file.index(b"jp2h") - 4
    longer = struct.pack(">I", struct.unpack_from(">I", file, header)[0] + len(colours) - old)
    path.write_bytes(file[:header] + longer + file[header + 4 : at] + colours + file[at + old :])
    assert read_info(path).deep
    still = read_still(path)
    assert np.array_equal(np.rint(still.pixels[..., 1] * 65535), DEEP[..., 0])
    assert still.metadata.icc == profile


def test_a_pam_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.pam"
    head = b"P7\nWIDTH 50\nHEIGHT 40\nDEPTH 3\nMAXVAL 65535\nTUPLTYPE RGB\nENDHDR\n"
    path.write_bytes(head + DEEP.astype(">u2").tobytes())
    assert is_still(path)
    assert np.array_equal(levels(path), DEEP)


def test_of_an_mpo_the_first_picture_is_read_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    flat = Image.fromarray(np.full_like(CARD, 90))
    flat.save(path, "MPO", save_all=True, append_images=[Image.fromarray(CARD)])
    still = read_still(path)
    assert int(np.abs(still.pixels.astype(int) - 90).max()) <= 1
    assert still.lost == ("the second picture (the first of 2 is read)",)
    assert read_info(path).content == "MPO"


def test_a_tiffs_thumbnail_is_no_second_picture(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    small = Image.fromarray(CARD[::4, ::4].copy())
    small.encoderinfo = {"tiffinfo": {254: 1}}  # type: ignore[attr-defined]
    Image.fromarray(CARD).save(path, save_all=True, append_images=[small])
    with Image.open(path) as image:
        image.seek(1)
        thumbnail = image.tag_v2.get(254) == 1
    if not thumbnail:
        pytest.skip("this Pillow gives pages no tags of their own")
    assert np.array_equal(levels(path), CARD)


@pytest.mark.parametrize("suffix", ["ppm", "bmp", "qoi", "jp2", "sgi", "tga", "pcx", "dds", "ico"])
def test_other_formats_of_eight_bits_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(CARD[:32, :32].copy()).save(path)
    assert is_still(path)
    assert read_info(path).size == (32, 32)
    still = read_still(path)
    assert still.lost == ()
    assert np.abs(still.pixels.astype(int) - CARD[:32, :32]).max() <= 1


def test_deep_pictures_of_other_formats_are_read_by_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "deep.ppm"
    path.write_bytes(b"P6 50 40 65535\n" + DEEP.astype(">u2").tobytes())
    assert is_still(path)
    assert read_info(path).size == (50, 40)
    assert np.array_equal(levels(path), DEEP)
    (tmp_path / "deep.png").write_bytes(png(DEEP))
    assert np.array_equal(levels(tmp_path / "deep.png"), DEEP)
