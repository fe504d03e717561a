"""HEIC and AVIF: tiles, cropping, turning, depth and alpha, as the file's structure says."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ImageFilter import GaussianBlur

pillow_heif = pytest.importorskip("pillow_heif")

from edge_sr.errors import MediaError
from edge_sr.tensors import reference_card
from edge_sr.video.frames.orientation import Orientation
from edge_sr.video.frames.planes import write_plane
from edge_sr.video.image.ffmpeg_reader import frame_pixels, heif_pixels
from edge_sr.video.image.files.heif_items import Tiles, _Meta, read_items
from edge_sr.video.image.formats import output_format
from edge_sr.video.image.read import read_info, read_still
from edge_sr.video.image.recognise import is_still
from edge_sr.video.image.write import write_still

# Smooth, so that chroma's resolution matters little; of sides that no coding block divides.
SOFT = Image.fromarray(reference_card(150, 113)).filter(GaussianBlur(6))
PIXELS = np.asarray(SOFT).astype(int)


@pytest.fixture(autouse=True)
def registered() -> None:
    pillow_heif.register_heif_opener()


def saved(path: Path, image: Image.Image = SOFT, **options: object) -> Path:
    image.save(path, quality=95, **options)
    return path


def test_a_heic_is_read_cropped_as_it_says(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.heic")
    assert is_still(path)
    assert (read_info(path).size, read_info(path).deep) == ((150, 113), False)
    still = read_still(path)
    assert still.pixels.shape == (113, 150, 3)
    assert np.abs(still.pixels.astype(int) - PIXELS).mean() < 2


def test_a_turned_heic_stands_upright_with_its_exif_and_profile(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    still = read_still(saved(tmp_path / "a.heic", exif=exif.tobytes()))
    assert np.abs(still.pixels.astype(int) - np.rot90(PIXELS, -1)).mean() < 2
    assert still.metadata.exif is not None
    assert still.metadata.exif.main == {271: "Maker"}


@pytest.mark.parametrize("name", ["a.heic", "a.avif"])
def test_xmp_and_resolution_are_read(tmp_path: Path, name: str) -> None:
    exif, xmp = Image.Exif(), b'<x:xmpmeta><rdf:RDF dc:creator="Ann"/></x:xmpmeta>'
    exif[282], exif[283], exif[296] = 300.0, 200.0, 2
    still = read_still(saved(tmp_path / name, exif=exif.tobytes(), xmp=xmp))
    assert (still.metadata.dpi, still.metadata.xmp) == ((300, 200), xmp)
    assert still.lost == ()


def test_of_several_pictures_in_a_heic_the_primary_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.heic", save_all=True, append_images=[SOFT.rotate(180)])
    assert is_still(path)
    still = read_still(path)
    assert np.abs(still.pixels.astype(int) - PIXELS).mean() < 2
    assert still.lost == ("the other picture (the primary one is read)",)


def test_neither_thumbnails_nor_alpha_are_other_pictures(tmp_path: Path) -> None:
    clear = SOFT.convert("RGBA")
    clear.putalpha(SOFT.getchannel("R"))
    assert read_still(saved(tmp_path / "a.heic", clear, thumbnails=[64])).lost == ()


@pytest.mark.parametrize("name", ["a.heic", "a.avif"])
def test_alpha_is_read_beside_the_colours(tmp_path: Path, name: str) -> None:
    clear = SOFT.convert("RGBA")
    clear.putalpha(SOFT.getchannel("R"))
    path = saved(tmp_path / name, clear)
    pixels = heif_pixels(path, read_items(path))
    assert pixels.alpha is not None
    assert np.abs(pixels.alpha.astype(int) - PIXELS[..., 0]).mean() < 3


def test_ten_bits_stay_ten(tmp_path: Path) -> None:
    path = tmp_path / "deep.heic"
    deep = (np.linspace(0, 65535, 64 * 64 * 3).reshape(64, 64, 3)).astype(np.uint16)
    pillow_heif.encode("RGB;16", (64, 64), deep.tobytes(), path, quality=100, chroma=444)
    assert read_info(path).deep
    still = read_still(path)
    assert still.pixels.dtype == np.float32
    assert len(np.unique(still.pixels)) > 400
    assert np.abs(still.pixels * 65535 - deep).mean() < 400


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("depth", [8, 10, 12])
def test_levels_of_grey_are_those_of_its_range(depth: int, full: bool) -> None:
    """As AV1 decodes to where a picture has no chroma."""
    unit = 1 << (depth - 8)
    black, white = (0, (1 << depth) - 1) if full else (16 * unit, 235 * unit)
    frame = av.VideoFrame(16, 8, "gray" if depth == 8 else f"gray{depth}le")
    codes = np.tile(np.linspace(black, white, 16).round(), (8, 1))
    write_plane(frame.planes[0], codes, np.uint8 if depth == 8 else "<u2")
    frame.color_range = 2 if full else 1
    found = frame_pixels(frame)
    wanted = ((codes - black) / (white - black))[..., None]
    top, error = (255, 0.5) if depth == 8 else (1, 1e-6)
    assert found.grey and np.abs(found.colour - wanted * top).max() <= error + 1e-6


def test_turns_and_mirrors_are_applied_in_order() -> None:
    picture = np.arange(6).reshape(2, 3, 1)
    assert np.array_equal(Orientation(True, mirror_y=True).apply(picture), np.rot90(picture))
    assert np.array_equal(Orientation(True, mirror_x=True).apply(picture), np.rot90(picture, -1))


def test_tiles_lie_row_by_row() -> None:
    assert Tiles((2, 3, 4, 5), 2, (256, 256)).columns == 2


def test_what_is_cut_or_torn_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.heic")
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for length in (20, 60, 200, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(MediaError):
            read_still(path)
    for _ in range(20):
        torn = np.frombuffer(whole, np.uint8).copy()
        torn[random.integers(12, 300, 4)] = random.integers(0, 256, 4)
        path.write_bytes(torn.tobytes())
        try:
            read_still(path)
        except MediaError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["a.heic", "a.avif"])
def test_a_picture_that_says_no_size_is_damaged(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name)
    path.write_bytes(path.read_bytes().replace(b"ispe", b"free"))
    with pytest.raises(MediaError, match="structure cannot be read"):
        read_items(path)


@pytest.mark.parametrize("size", [(400, 400), (150, 1000)])
def test_a_picture_of_another_size_than_its_file_says_is_refused(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = saved(tmp_path / "a.heic")
    place = (whole := path.read_bytes()).index(b"ispe") + 8
    clap = whole.index(b"clap")
    told = whole[:place] + struct.pack(">II", *size) + whole[place + 8 :]
    path.write_bytes(told[:clap] + b"free" + told[clap + 4 :])
    with pytest.raises(MediaError, match=f"header says {size[0]}x{size[1]}"):
        read_still(path)


def test_colours_that_have_no_number_are_none(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.heic")
    whole = path.read_bytes()
    place = whole.index(b"nclx") + 4
    path.write_bytes(whole[:place] + b"\xff\xff\x01\x00" + whole[place + 4 :])
    found = read_items(path).nclx
    assert found is not None
    assert found[:3] == (2, 2, 6)
    assert np.abs(read_still(path).pixels.astype(int) - PIXELS).mean() < 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_avif_of_eight_bits_is_cropped_to_its_clean_aperture(tmp_path: Path, mode: str) -> None:
    clear = SOFT.convert(mode)
    if mode == "RGBA":
        clear.putalpha(SOFT.getchannel("R"))
    path = saved(tmp_path / "a.avif", clear, icc_profile=bytes(28))
    # In the place of a colour profile of the same length: 100x80, its centre moved by 5 and -2 from the picture's.
    aperture = struct.pack(">8i", 100, 1, 80, 1, 5, 1, -3, 2)
    file = path.read_bytes()
    assert file.count(b"colrprof") == 1
    path.write_bytes(file.replace(b"colrprof" + bytes(28), b"clap" + aperture))
    assert read_info(path).size == (100, 80)
    still, wanted = read_still(path), PIXELS[15:95, 30:130]
    assert np.abs(still.pixels.astype(int) - wanted).mean() < 3
    if still.alpha is not None:
        assert np.abs(still.alpha.astype(int) - wanted[..., 0]).mean() < 3


def state_premultiplied(path: Path) -> None:
    """Adds the reference by which a file says that its first item's colours are multiplied by its second, alpha."""
    reference = struct.pack(">I4sHHH", 14, b"prem", 1, 1, 2)
    file = path.read_bytes()
    for kind in (b"meta", b"iref"):
        at = file.index(kind) - 4
        longer = struct.unpack_from(">I", file, at)[0] + len(reference)
        file = file[:at] + struct.pack(">I", longer) + file[at + 4 :]
    for parts in _Meta(path).places.values():
        for _, start, length in parts:
            here, there = (struct.pack(">II", place, length) for place in (start, start + len(reference)))
            assert file.count(here) == 1
            file = file.replace(here, there)
    at = file.index(b"auxl") - 4
    path.write_bytes(file[:at] + reference + file[at:])


def test_premultiplied_colours_are_divided_by_alpha(tmp_path: Path) -> None:
    half = Image.fromarray(np.dstack([PIXELS // 2, np.full((113, 150), 128)]).astype(np.uint8))
    path = saved(tmp_path / "a.avif", half)
    assert not read_items(path).premultiplied
    state_premultiplied(path)
    pixels = heif_pixels(path, read_items(path))
    assert np.abs(pixels.colour - PIXELS).mean() < 4
    assert pixels.alpha is not None and np.abs(pixels.alpha.astype(int) - 128).max() <= 1


def test_an_avif_that_pillow_refuses_is_read_as_its_items_say(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.avif", icc_profile=bytes(40))
    aperture = struct.pack(">8i", 100, 1, 80, 1, 5, 1, -3, 2) + bytes(12)
    path.write_bytes(path.read_bytes().replace(b"colrprof" + bytes(40), b"clap" + aperture))
    assert read_info(path).size == (100, 80)
    assert np.abs(read_still(path).pixels.astype(int) - PIXELS[15:95, 30:130]).mean() < 3


def test_without_the_extra_a_heic_is_read_by_ffmpeg(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.heic")
    program = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from pathlib import Path\n"
        "from edge_sr.video.image.read import read_still\n"
        f"print(read_still(Path({str(path)!r})).pixels.shape)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(113, 150, 3)"


def test_the_chroma_of_a_heic_lies_in_the_centre(tmp_path: Path) -> None:
    """As libheif puts it, whatever HEVC says: read half a pixel off, a ramp would be off by three levels."""
    ramp = np.linspace(20, 230, 32).astype(np.uint8)[None].repeat(24, 0)
    picture = np.stack([255 - ramp, np.full_like(ramp, 128), ramp], axis=-1)
    path = tmp_path / "a.heic"
    Image.fromarray(picture).save(path, quality=100, chroma=420)
    found = read_still(path).pixels.astype(int) - picture
    assert np.abs(found[4:-4, 4:-4].mean(axis=(0, 1))).max() < 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_profile_is_written_into_a_heic(tmp_path: Path, mode: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    SOFT.convert(mode).save(tmp_path / "a.png", icc_profile=profile)
    target = tmp_path / "b.heic"
    assert write_still(read_still(tmp_path / "a.png"), target, output_format(target)) == []
    again = read_still(target)
    assert again.metadata.icc == profile
    assert np.abs(again.pixels.astype(int) - PIXELS).mean() < 2
