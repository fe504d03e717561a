"""What a file says beside its pixels is kept where the new format can hold it, and named where it cannot."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo
from support.images import chunk, png, psd, through, write_tiff

from edge_sr.tensors import reference_card
from edge_sr.video.image.files.exif import Tags
from edge_sr.video.image.formats import BY_NAME, check_size, output_format, suffix_for
from edge_sr.video.image.metadata import Metadata
from edge_sr.video.image.read import read_info, read_still
from edge_sr.video.image.still import Still
from edge_sr.video.image.write import write_still

CARD = reference_card(30, 20)
DEEP = CARD.astype(np.uint16) * 256 + 77
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = PROFILE[:16] + b"GRAY" + PROFILE[20:]
XMP = b'<x:xmpmeta tiff:Orientation="6"/>'


@pytest.fixture(params=["jpg", "png", "tif", "webp", "avif", "heic"])
def kind(request: pytest.FixtureRequest) -> str:
    if package := {"avif": "PIL._avif", "heic": "pillow_heif"}.get(request.param):
        pytest.importorskip(package)
    return str(request.param)


def exif_in(target: Path, source: Path) -> Tags:
    """What arrives of a picture's EXIF, when nothing is told to be lost."""
    assert write_still(read_still(source), target, output_format(target)) == []
    found = read_still(target).metadata.exif
    assert found is not None
    return found


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[271], exif[274], exif[315] = "Maker", 6, "An artist"
    exif.get_ifd(34665).update({36867: "2020:01:02 03:04:05", 40962: 30, 37500: b"maker's own"})
    exif.get_ifd(34853).update({1: "N", 2: (48.0, 8.0, 1.5)})
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_what_a_camera_wrote_is_kept_in_every_format(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF":
        pytest.importorskip("PIL._avif")
    path = tmp_path / "in.jpg"
    Image.fromarray(CARD).save(path, exif=camera_exif(), dpi=(240, 240), icc_profile=PROFILE, xmp=XMP)
    image, lost = through(path, kind)
    assert lost == []
    exif = image.getexif()
    exposure, place = exif.get_ifd(34665), exif.get_ifd(34853)
    assert (exif[271], exif[315]) == ("Maker", "An artist")
    assert exif.get(274, 1) == 1
    assert (exposure[36867], exposure[37500]) == ("2020:01:02 03:04:05", b"maker's own")
    assert exposure[40962] == image.size[0] == 20
    assert (place[1], tuple(map(float, place[2]))) == ("N", (48.0, 8.0, 1.5))
    assert image.info["icc_profile"] == PROFILE
    assert image.info["xmp"].replace(b"\0", b"") == XMP.replace(b"6", b"1")
    dpi = image.info.get("dpi") or (float(exif[282]), float(exif[283]))
    assert np.allclose(dpi, 240, atol=0.1)


@pytest.mark.parametrize("form", ['="6"', "='6'", ' = "6"', ">6<", ">\n 6<"])
def test_xmp_of_a_turned_picture_says_upright_however_it_is_written(tmp_path: Path, form: str) -> None:
    path, xmp = tmp_path / "in.jpg", f"<x tiff:Orientation{form} />".encode()
    Image.fromarray(CARD).save(path, exif=camera_exif(), xmp=xmp)
    assert read_still(path).metadata.xmp == xmp.replace(b"6", b"1")


@pytest.mark.parametrize(("table", "tag"), [(34665, 36867), (34853, 29)])
def test_exif_of_an_exposure_or_a_place_alone_is_kept(
    tmp_path: Path, table: int, tag: int, kind: str
) -> None:
    path, target, exif = tmp_path / "in.jpg", tmp_path / f"out.{kind}", Image.Exif()
    exif.get_ifd(table)[tag] = "2020:01:02"
    Image.fromarray(CARD).save(path, exif=exif.tobytes())
    found = exif_in(target, path)
    assert [dict(values) for values in found.tables() if values] == [{tag: "2020:01:02"}]


def test_text_that_is_not_ascii_stays_byte_for_byte(tmp_path: Path, kind: str) -> None:
    written = "Мария Ёлкина, 渡辺".encode()
    exif = camera_exif()
    # The second's type Pillow does not know: it goes by the value's.
    exif[315] = exif.get_ifd(34665)[42036] = exif.get_ifd(34853)[29] = "?" * len(written)
    path = tmp_path / "in.jpg"
    Image.fromarray(CARD).save(path, exif=exif.tobytes().replace(b"?" * len(written), written))
    target = tmp_path / f"out.{kind}"
    found = exif_in(target, path)
    texts = found.main[315], found.exposure[42036], found.place[29]
    assert texts == (written.decode("latin-1"),) * 3


def test_a_cameras_adobe_rgb_is_still_said(tmp_path: Path, kind: str) -> None:
    path, target, exif = tmp_path / "_in.jpg", tmp_path / f"out.{kind}", Image.Exif()
    exif[318], exif[319] = (0.3127, 0.329), (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    exif.get_ifd(34665).update({40961: 65535, 40965: {1: "R03", 2: b"0100"}})
    Image.fromarray(CARD).save(path, exif=exif.tobytes())
    found = exif_in(target, path)
    assert found.exposure == {40961: 65535, 40965: {1: "R03", 2: b"0100"}}
    assert np.allclose([float(value) for value in found.main[319]], exif[319], atol=1e-4)


def test_text_of_exif_3_is_kept(tmp_path: Path) -> None:
    path, target, written = tmp_path / "in.jpg", tmp_path / "out.jpg", "Ёлкина 渡辺".encode()
    exif = Image.Exif()
    exif[315] = "?" * len(written)
    ascii_type, utf_8 = struct.pack(">HH", 315, 2), struct.pack(">HH", 315, 129)
    encoded = exif.tobytes().replace(b"?" * len(written), written)
    assert ascii_type in encoded
    Image.fromarray(CARD).save(path, exif=encoded.replace(ascii_type, utf_8))
    found = exif_in(target, path)
    assert found.main == {315: written.decode("latin-1")}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_all_that_eight_do(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.png"
    before = chunk(b"iCCP", b"p\0\0" + zlib.compress(PROFILE))
    before += chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1)) + chunk(b"tEXt", b"Title\0A name")
    path.write_bytes(png(DEEP, before=before, after=chunk(b"eXIf", camera_exif().tobytes()[6:])))
    image, lost = through(path, kind)
    assert lost == ([] if kind == "PNG" else ["text (Title; TIFF has none)"])
    assert image.info.get("Title") == ("A name" if kind == "PNG" else None)
    assert image.getexif()[271] == "Maker"
    assert image.getexif().get_ifd(34665)[36867] == "2020:01:02 03:04:05"
    assert image.info["icc_profile"] == PROFILE
    assert np.allclose(image.info["dpi"], 300, atol=0.1)
    turned = np.rint(read_still(tmp_path / f"out{BY_NAME[kind].suffixes[0]}").pixels * 65535)
    assert np.array_equal(turned, np.rot90(DEEP, -1))


def test_a_png_keeps_its_colour_chunks_and_other_formats_name_them(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    hlg, linear = bytes([9, 18, 0, 1]), struct.pack(">I", 100_000)
    path.write_bytes(png(CARD, before=chunk(b"cICP", hlg) + chunk(b"gAMA", linear)))
    through(path, "PNG")
    again = (tmp_path / "out.png").read_bytes()
    assert chunk(b"cICP", hlg) in again
    assert chunk(b"gAMA", linear) in again
    _, lost = through(path, "JPEG")
    assert lost == ["gamma 1 (JPEG has none)", "the colour description cICP (JPEG has none)"]


def test_sixteen_bit_pngs_keep_their_colour_chunks(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(png(DEEP, before=chunk(b"cICP", bytes([9, 16, 0, 1]))))
    through(path, "PNG")
    assert chunk(b"cICP", bytes([9, 16, 0, 1])) in (tmp_path / "out.png").read_bytes()


def test_exif_that_jpeg_cannot_hold_is_left_out_tag_by_tag(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    exif = camera_exif()
    exif.get_ifd(34665)[37510] = b"x" * 70_000
    Image.fromarray(CARD).save(path, exif=exif)
    image, lost = through(path, "JPEG")
    assert len(lost) == 1
    assert "UserComment" in lost[0]
    assert image.getexif()[271] == "Maker"
    assert image.getexif().get_ifd(34665)[36867] == "2020:01:02 03:04:05"


def test_malformed_exif_is_named_and_the_picture_written(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(png(CARD, before=chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + b"\x99" * 40)))
    _, lost = through(path, "JPEG")
    assert read_info(path).size == (30, 20)
    assert all("EXIF" in name or "tag" in name for name in lost)


def test_structure_of_a_tiff_is_dropped_and_unknown_tags_are_named(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    write_tiff(path, CARD, {33550: 7, 530: (1, 1)})
    image, lost = through(path, "TIFF")
    assert image.size == (30, 20)
    assert lost == ["tag 33550"]
    assert 530 not in image.tag_v2
    assert "dpi" not in read_still(path).metadata.__dict__ or read_still(path).metadata.dpi is None


def test_a_tiff_that_ffmpeg_alone_reads_keeps_all_that_it_says(tmp_path: Path) -> None:
    path = tmp_path / "grey.tif"
    said = Metadata(GREY_PROFILE, Tags({315: "Ann"}, {37500: b"maker's own"}), (300, 200), b"<x:xmpmeta/>")
    grey = np.repeat(DEEP[..., :1], 3, axis=2) / np.float32(65535)
    write_still(Still(grey, grey[..., 0], grey=True, metadata=said), path, BY_NAME["TIFF"])
    assert read_info(path).content == ""
    assert read_still(path).metadata == said


@pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
def test_a_photoshop_file_keeps_what_it_says(tmp_path: Path, card: np.ndarray) -> None:
    path = tmp_path / "in.psd"
    resolution = struct.pack(">IHHIHH", 300 << 16, 1, 1, 200 << 16, 1, 1)
    exif = Image.Exif()
    exif[315] = "Ann"
    told = {1005: resolution, 1039: PROFILE, 1058: exif.tobytes()[6:], 1060: XMP}
    path.write_bytes(psd(card, told))
    still = read_still(path)
    pixels = still.pixels if card is CARD else np.rint(still.pixels * 65535)
    assert np.array_equal(pixels, card)
    upright = XMP.replace(b"6", b"1")
    assert still.metadata == Metadata(PROFILE, Tags({315: "Ann"}), (300, 200), upright)
    assert still.lost == ()


def test_what_a_file_says_twice_is_joined_or_named(tmp_path: Path) -> None:
    jpeg = tmp_path / "twice.jpg"
    again = b"\xff\xfe" + struct.pack(">H", 5) + b"two"
    Image.fromarray(CARD).save(jpeg, comment=b"one", extra=again)
    assert sorted(read_still(jpeg).metadata.comment.split(b"\n")) == [b"one", b"two"]
    texts = b"".join(chunk(b"tEXt", b"Comment\0" + text) for text in (b"one", b"two"))
    (tmp_path / "twice.png").write_bytes(png(CARD, before=texts))
    still = read_still(tmp_path / "twice.png")
    assert (still.metadata.text, still.lost) == (
        (("Comment", "two"),),
        ("all but the last of the texts Comment",),
    )


def test_xmp_beyond_a_jpegs_segment_is_named(tmp_path: Path) -> None:
    more = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"<rest/>"
    path = tmp_path / "long.jpg"
    Image.fromarray(CARD).save(
        path,
        xmp=b'<x:xmpmeta a="1" xmpNote:HasExtendedXMP="5A"/>',
        extra=b"\xff\xe1" + struct.pack(">H", 2 + len(more)) + more,
    )
    still = read_still(path)
    assert still.lost == ("XMP beyond its first 64 KB",)
    assert still.metadata.xmp == b'<x:xmpmeta a="1"/>'


@pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
def test_light_levels_of_hdr_are_kept_in_png_and_named_elsewhere(tmp_path: Path, card: np.ndarray) -> None:
    levels = {b"mDCV": bytes(range(24)), b"cLLI": bytes(range(8))}
    path = tmp_path / "in.png"
    path.write_bytes(png(card, before=b"".join(chunk(kind, data) for kind, data in levels.items())))
    _, lost = through(path, "PNG")
    assert lost == []
    assert read_still(tmp_path / "out.png").metadata.chunks == levels
    assert read_still(tmp_path / "out.png").damage == ""
    assert "mastering display and light levels (TIFF is written without)" in through(path, "TIFF")[1]


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_profile_of_grey_is_not_put_into_colours(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF":
        pytest.importorskip("PIL._avif")
    path = tmp_path / "in.jpg"
    Image.fromarray(CARD[..., 0]).save(path, icc_profile=GREY_PROFILE)
    image, lost = through(path, kind)
    assert image.info.get("icc_profile") is None
    assert "the colour profile" in lost[0]
    assert through(path, "PNG")[0].info["icc_profile"] == GREY_PROFILE


def test_comments_iptc_and_long_xmp(tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x06\x1c\x02\x78\0\x01x"
    marker = b"\xff\xed" + struct.pack(">H", 2 + len(iptc)) + iptc
    Image.fromarray(CARD).save(path, comment=b"said", extra=marker)
    image, lost = through(path, "JPEG")
    assert (image.info["comment"], lost) == (b"said", [])
    assert iptc in (tmp_path / "out.jpg").read_bytes()
    image, lost = through(path, "TIFF")
    assert lost == ["the comment (TIFF has no room for it)"]
    assert image.tag_v2[34377] == iptc.removeprefix(b"Photoshop 3.0\0")
    assert through(tmp_path / "out.tif", "TIFF")[0].tag_v2[34377] == image.tag_v2[34377]
    image, lost = through(path, "PNG")
    assert image.info["Comment"] == "said"
    assert lost == ["IPTC and Photoshop data (PNG has no place for them)"]
    _, lost = through(path, "WEBP")
    assert "the comment" in lost[0]
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "y" * 70_000)
    Image.fromarray(CARD).save(tmp_path / "long.png", pnginfo=info)
    _, lost = through(tmp_path / "long.png", "JPEG")
    assert lost == ["XMP (longer than JPEG's 65,504 bytes)"]


def test_thumbnails_of_the_old_picture_go(tmp_path: Path) -> None:
    """They show all of a picture that is cut. Photoshop's resources go on from segment to segment."""
    words, copyright = (b"8BIM" + struct.pack(">HHI", *head) + b"x " for head in ((1028, 0, 2), (1034, 0, 1)))
    small = b"8BIM" + struct.pack(">HHI", 1036, 0, 70_001) + b"y" * 70_002
    block = words + small + copyright
    parts = [b"Photoshop 3.0\0" + part for part in (block[:60_000], block[60_000:])]
    extra = b"".join(b"\xff\xed" + struct.pack(">H", 2 + len(part)) + part for part in parts)
    image = b"<xmp:Thumbnails><rdf:Alt><rdf:li><xmpGImg:image>/9j/</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
    path = tmp_path / "in.jpg"
    Image.fromarray(CARD).save(path, extra=extra, xmp=b"<r>" + image + b"<s/></r>")
    jpeg, lost = through(path, "JPEG")
    assert (jpeg.info["photoshop"], jpeg.info["xmp"], lost) == ({1028: b"x ", 1034: b"x"}, b"<r><s/></r>", [])
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[34377] = block
    Image.fromarray(CARD).save(tmp_path / "in.tif", tiffinfo=tags)
    assert through(tmp_path / "in.tif", "TIFF")[0].tag_v2[34377] == words + copyright


def test_so_do_those_that_imagemagick_keeps_in_a_png(tmp_path: Path) -> None:
    """In texts of hexadecimal digits; XMP in one of them says what any says."""
    words = b"8BIM" + struct.pack(">HHI", 1028, 0, 2) + b"x "
    small = b"8BIM" + struct.pack(">HHI", 1036, 0, 100) + b"y" * 100
    info = PngInfo()
    xmp = b'<r tiff:Orientation="6"/>'
    for name, data in (("8bim", words + small), ("xmp", xmp), ("iptc", small + words)):
        info.add_text(
            f"Raw profile type {name}", f"\n{name}\n{len(data):8}\n{data.hex()[:40]}\n{data.hex()[40:]}\n"
        )
    info.add_text("Author", "A")
    Image.fromarray(CARD).save(tmp_path / "in.png", pnginfo=info)
    image, lost = through(tmp_path / "in.png", "PNG")
    assert image.text["Raw profile type 8bim"].split() == ["8bim", "14", words.hex()]
    assert image.text["Raw profile type iptc"].split() == ["iptc", "14", words.hex()]
    assert (image.info["xmp"], image.text["Author"], lost) == (b'<r tiff:Orientation="1"/>', "A", [])
    assert "Raw profile type xmp" not in image.text


@pytest.mark.parametrize("odd", ["", "xmp", "xmp 3", "\nxmp\n 2\n3c723e\n", "\nxmp\n 3\nno digits\n"])
def test_texts_that_are_no_profiles_stay(tmp_path: Path, odd: str) -> None:
    info = PngInfo()
    for name in ("xmp", "8bim"):
        info.add_text(f"Raw profile type {name}", odd)
    Image.fromarray(CARD).save(tmp_path / "in.png", pnginfo=info)
    image, _ = through(tmp_path / "in.png", "PNG")
    assert [image.text.get(f"Raw profile type {name}", "") for name in ("xmp", "8bim")] == [odd, odd]


def test_limits_of_formats_are_known_before_the_work(tmp_path: Path) -> None:
    check_size(tmp_path / "x.webp", (16_383, 10))
    for name, side in (("x.webp", 16_384), ("x.jpg", 65_501), ("x.avif", 32_769)):
        with pytest.raises(ValueError, match="pixels a side"):
            check_size(tmp_path / name, (10, side))


def test_the_outputs_suffix_follows_the_content() -> None:
    assert suffix_for(Path("a.JPG"), "JPEG", deep=False) == ".JPG"
    assert suffix_for(Path("a.jpg"), "MPO", deep=False) == ".jpg"
    assert suffix_for(Path("a.jpg"), "PNG", deep=False) == ".png"
    assert suffix_for(Path("a.dat"), "JPEG", deep=False) == ".jpg"
    assert suffix_for(Path("a.avif"), "AVIF", deep=False) == ".avif"
    assert suffix_for(Path("a.avif"), "AVIF", deep=True) == ".png"
    assert suffix_for(Path("a.heic"), "HEIF", deep=False) == ".png"
    assert output_format(Path("x.jfif")).name == "JPEG"
