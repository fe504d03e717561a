"""Pictures in and out: depth, alpha, orientation, profiles, damage."""

from __future__ import annotations

import gc
import io
import socket
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from edge_sr.errors import MediaError, OptionError
from edge_sr.tensors import reference_card
from edge_sr.video.image.formats import BY_NAME, output_format
from edge_sr.video.image.metadata import Metadata
from edge_sr.video.image.read import read_info, read_still
from edge_sr.video.image.recognise import is_still
from edge_sr.video.image.still import Still
from edge_sr.video.image.write import write_still

CARD = reference_card(30, 20)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def deep_pixels() -> np.ndarray:
    """float32 RGB whose values need all of 16 bits."""
    return (np.arange(20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3) * 36 + 1) / np.float32(65535)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_eight_bits_with_profile_come_back(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"picture.{kind.lower()}"
    assert write_still(Still(CARD, metadata=Metadata(icc=PROFILE)), path, BY_NAME[kind]) == []
    again = read_still(path)
    assert again.metadata.icc == PROFILE
    difference = np.abs(again.pixels.astype(int) - CARD)
    assert difference.max() == 0 if kind in ("PNG", "TIFF") else difference.mean() < 25


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_no_file_stays_open(tmp_path: Path, kind: str, recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always", ResourceWarning)
    path = tmp_path / f"picture.{kind.lower()}"
    write_still(Still(CARD), path, BY_NAME[kind])
    read_info(path)
    read_still(path)
    gc.collect()
    assert [str(found.message) for found in recwarn if found.category is ResourceWarning] == []


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_no_file_stays_open_with_the_error_that_refuses_it(tmp_path: Path, name: str) -> None:
    path, kept = tmp_path / name, []
    Image.fromarray(CARD).save(path, save_all=True, append_images=[Image.fromarray(255 - CARD)])
    for read in (read_info, read_still):
        with pytest.raises(MediaError) as refusal:
            read(path)
        kept.append(refusal)
    files = [found for found in gc.get_objects() if isinstance(found, io.BufferedReader)]
    assert not [file for file in files if not file.closed and str(file.name) == str(path)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_sixteen_bits_come_back(tmp_path: Path, kind: str, with_alpha: bool, grey: bool) -> None:
    pixels = deep_pixels()
    if grey:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    alpha = np.ascontiguousarray(1 - pixels[..., 0]) if with_alpha else None
    path = tmp_path / f"picture.{kind.lower()}"
    profile = PROFILE[:16] + b"GRAY" + PROFILE[20:] if grey else PROFILE
    still = Still(pixels, alpha, grey=grey, metadata=Metadata(icc=profile))
    assert write_still(still, path, BY_NAME[kind]) == []
    assert read_info(path).deep
    again = read_still(path)
    assert again.pixels.dtype == np.float32
    assert np.array_equal(np.rint(again.pixels * 65535), np.rint(pixels * 65535))
    assert again.metadata.icc == profile
    assert again.grey == grey
    if alpha is not None:
        assert again.alpha is not None
        assert np.array_equal(np.rint(again.alpha * 65535), np.rint(alpha * 65535))


def test_other_programs_read_our_sixteen_bits(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    write_still(Still(deep_pixels()), path, BY_NAME["PNG"])
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "rgb48be"
    assert np.array_equal(frame.to_ndarray(), np.rint(deep_pixels() * 65535).astype(np.uint16))


def test_eight_bit_alpha_and_grey(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(np.dstack([CARD[..., 0], CARD[..., 1]]), "LA").save(path)
    still = read_still(path)
    assert still.grey
    assert still.alpha is not None
    assert np.array_equal(still.alpha, CARD[..., 1])
    assert np.array_equal(still.pixels[..., 2], CARD[..., 0])
    write_still(still, tmp_path / "again.png", BY_NAME["PNG"])
    with Image.open(tmp_path / "again.png") as image:
        assert image.mode == "LA"


def test_what_jpeg_cannot_hold_is_named(tmp_path: Path) -> None:
    still = Still(deep_pixels(), alpha=deep_pixels()[..., 0])
    dropped = write_still(still, tmp_path / "picture.jpg", BY_NAME["JPEG"])
    assert len(dropped) == 2
    assert "alpha" in dropped[0]
    assert "16 bits" in dropped[1]
    assert read_still(tmp_path / "picture.jpg").pixels.dtype == np.uint8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_taken_out(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    path = tmp_path / "picture.png"
    exif = Image.Exif()
    exif[274], exif[271] = orientation, "A maker"
    Image.fromarray(CARD).save(path, exif=exif)
    still = read_still(path)
    with Image.open(path) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(still.pixels, wanted)
    assert read_info(path).size == (wanted.shape[1], wanted.shape[0])
    write_still(still, tmp_path / "again.png", BY_NAME["PNG"])
    with Image.open(tmp_path / "again.png") as image:
        assert dict(image.getexif()) == {271: "A maker"}


def test_a_cmyk_picture_loses_its_profile_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    Image.fromarray(CARD).convert("CMYK").save(path, icc_profile=PROFILE)
    still = read_still(path)
    assert still.metadata.icc is None
    assert "CMYK" in still.notes[0]


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    words = tmp_path / "words.png"
    words.write_text("no picture")
    with pytest.raises(MediaError, match="no picture that can be read"):
        read_still(words)


def test_several_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    first, second = Image.fromarray(CARD), Image.fromarray(255 - CARD)
    first.save(path, save_all=True, append_images=[second])
    with pytest.raises(MediaError, match="2 pictures"):
        read_info(path)


def test_formats_that_are_not_written_are_refused() -> None:
    with pytest.raises(OptionError, match=r"\.png"):
        output_format(Path("picture.gif"))


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n{0}a.ts\n",
        "v=0\nc=IN IP4 127.0.0.1\n",
        '<?xml version="1.0"?><MPD><BaseURL>{0}</BaseURL></MPD>',
    ],
)
def test_a_list_under_a_pictures_name_is_no_picture_and_leads_nowhere(text: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        path = tmp_path / "picture.png"
        path.write_text(text.format(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        assert not is_still(path)
        with pytest.raises(socket.timeout):
            server.accept()
