"""What nobody here reads is refused and told for what it is, never called damaged or read as another picture."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from support.images import psd, write_tiff

from edge_sr.errors import MediaError
from edge_sr.tensors import reference_card
from edge_sr.upscale.batch.listing import picture_or_film
from edge_sr.video.image.read import read_info, read_still
from edge_sr.video.image.recognise import is_still
from edge_sr.video.opening import open_input

CARD = reference_card(50, 40)
DEEP = CARD.astype(np.uint16) * 257 - CARD.astype(np.uint16) // 3


def test_a_photoshop_file_that_nobody_reads_is_told_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "packed.psd"
    whole = psd(DEEP, {})
    pixels = len(whole) - DEEP.nbytes - 2
    path.write_bytes(whole[:pixels] + b"\0\2" + bytes(DEEP.nbytes))
    with pytest.raises(MediaError, match="Photoshop file of a kind that is not read"):
        read_still(path)


def test_rows_longer_than_their_file_are_damage_and_no_lack_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.psb"
    whole = psd(DEEP, {}, packed=True, large=True)
    # Behind header, palette, resources, layers and compression.
    counts = 26 + 4 + 4 + 8 + 2
    told = b"\xff" * 4 * 3 * len(DEEP)
    path.write_bytes(whole[:counts] + told + whole[counts + len(told) :])
    with pytest.raises(MediaError, match="damaged"):
        read_still(path)


@pytest.mark.parametrize(("kind", "name"), [(2, "signed"), (3, "floating-point")])
@pytest.mark.parametrize(
    "samples", [CARD, DEEP, DEEP[..., :1], DEEP[..., :2]], ids=lambda found: str(found.shape)
)
def test_samples_that_are_not_unsigned_are_refused(
    tmp_path: Path, samples: np.ndarray, kind: int, name: str
) -> None:
    path = tmp_path / "odd.tif"
    write_tiff(path, samples, {339: (kind,) * samples.shape[2]})
    with pytest.raises(MediaError, match=f"{name} samples"):
        read_still(path)
    with pytest.raises(MediaError, match=f"{name} samples"):
        read_info(path)


def test_bits_that_nobody_reads_are_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.tif"
    write_tiff(path, DEEP, {258: (12, 12, 12)})
    with pytest.raises(MediaError, match=r"12\+12\+12 bits"):
        read_still(path)


@pytest.mark.parametrize("samples", [CARD, DEEP, DEEP[..., :2]], ids=lambda found: str(found.shape))
@pytest.mark.parametrize(("tag", "lost"), [(254, []), (34675, ["the colour profile (malformed)"])])
def test_tags_of_another_type_say_nothing(
    tmp_path: Path, samples: np.ndarray, tag: int, lost: list[str]
) -> None:
    path = tmp_path / "odd.tif"
    write_tiff(path, samples, {tag: 1, 338: 2} if samples.shape[2] == 2 else {tag: 1})
    whole = path.read_bytes()
    kind = {254: 7, 34675: 2}[tag]
    path.write_bytes(whole.replace(struct.pack("<HHI", tag, 3, 1), struct.pack("<HHI", tag, kind, 1)))
    still = read_still(path)
    assert (still.metadata.icc, list(still.lost)) == (None, lost)
    assert still.pixels.shape[:2] == samples.shape[:2]


def test_a_cameras_raw_picture_is_not_its_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "raw.tif"
    write_tiff(path, CARD, {254: 1, 330: 8})
    with pytest.raises(MediaError, match="raw picture"):
        read_info(path)


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x08",
        b"FOVb",
        b"\0MRM",
        b"II*\0\x10\0\0\0CR\2",
        b"\0\0\0\x18ftypcrx ",
    ],
)
def test_the_jpeg_in_a_cameras_raw_file_is_no_film(tmp_path: Path, head: bytes) -> None:
    preview = io.BytesIO()
    Image.fromarray(reference_card(64, 48)).save(preview, "JPEG")
    path = tmp_path / "photo.raf"
    path.write_bytes(head.ljust(200, b"\0") + preview.getvalue() + bytes(5000))
    assert is_still(path)
    with pytest.raises(MediaError, match="camera's raw picture"):
        read_info(path)


def test_a_file_with_a_jpeg_in_it_is_no_film(tmp_path: Path) -> None:
    preview = io.BytesIO()
    Image.fromarray(reference_card(64, 48)).save(preview, "JPEG")
    path = tmp_path / "leaflet.pdf"
    path.write_bytes(b"%PDF-1.4\n" + preview.getvalue())
    with pytest.raises(MediaError, match="no film or picture, though there is a JPEG in it"):
        open_input(str(path))
    assert picture_or_film(path, ()) is None
    stream = tmp_path / "cut.mjpeg"
    stream.write_bytes(bytes(9) + preview.getvalue() * 3)
    open_input(str(stream)).close()


@pytest.mark.parametrize(
    ("samples", "tags", "message"),
    [
        (CARD, {259: 34933}, "compressed as PNG"),
        (CARD, {259: 50001}, "compressed as WebP"),
        (DEEP, {259: 34712}, "compressed as JPEG 2000"),
        (DEEP, {262: 1, 338: (0, 0)}, "grey TIFF of 3 channels"),
        (CARD.astype(np.uint32), {}, r"32\+32\+32 bits"),
        (
            DEEP[..., :2],
            {322: 16, 323: 16},
            r"16\+16 bits in tiles, which is not read, expected 8 or 16 in strips",
        ),
        (DEEP[..., [0, 1, 2, 0, 1]], {338: (2, 0)}, "5 channels of 16 bits, expected 4"),
        (DEEP[..., :2], {259: 50000}, "compressed as Zstandard, which is not read in this layout"),
        (DEEP[..., [0, 1, 2, 0]].transpose(2, 0, 1), {284: 2, 262: 5}, "CMYK TIFF of 4 channels in planes"),
    ],
    ids=[
        *("PNG", "WebP", "JPEG 2000", "grey of three", "32 bits", "tiles", "five", "Zstandard"),
        "CMYK in planes",
    ],
)
def test_what_nobody_reads_is_told_for_what_it_is(
    tmp_path: Path, samples: np.ndarray, tags: dict[int, Any], message: str
) -> None:
    write_tiff(tmp_path / "odd.tif", samples, tags)
    with pytest.raises(MediaError, match=message):
        read_still(tmp_path / "odd.tif")


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"MM\0+\0\x08\0\0", "big-endian BigTIFF"), (b"II+\0\x08\0\0\0", "BigTIFF of a layout")],
)
def test_a_bigtiff_that_nobody_reads_is_told_for_what_it_is(tmp_path: Path, head: bytes, name: str) -> None:
    (tmp_path / "big.tif").write_bytes(head + bytes(200))
    with pytest.raises(MediaError, match=name):
        read_still(tmp_path / "big.tif")


@pytest.mark.parametrize(("bits", "channels"), [(16, 1), (12, 3)])
def test_a_lossless_jpeg_that_ffmpeg_misreads_is_told_for_what_it_is(
    tmp_path: Path, bits: int, channels: int
) -> None:
    parts = b"".join(bytes([1 + index, 0x11, 0]) for index in range(channels))
    frame = struct.pack(">BHHB", bits, 40, 50, channels) + parts
    scan = bytes([channels, *(byte for index in range(channels) for byte in (1 + index, 0)), 1, 0, 0])
    segments = ((0xC3, frame), (0xDA, scan))
    path = tmp_path / "scan.jpg"
    path.write_bytes(
        b"\xff\xd8"
        + b"".join(struct.pack(">BBH", 0xFF, kind, 2 + len(data)) + data for kind, data in segments)
        + bytes(500)
    )
    with pytest.raises(MediaError, match=f"lossless JPEG of {bits} bits"):
        read_info(path)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_jpeg_whose_segment_is_shorter_than_its_length_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "scan.jpg"
    path.write_bytes(b"\xff\xd8" + struct.pack(">BBH", 0xFF, 0xDB, length) + bytes(500))
    with pytest.raises(MediaError, match=r"scan\.jpg is no picture that can be read"):
        read_info(path)


def test_of_jpeg_ls_what_ffmpeg_misreads_is_told_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "scan.jls"
    with av.open(str(path), "w", format="image2") as file:
        stream: Any = file.add_stream("jpegls", rate=1)
        stream.width, stream.height, stream.pix_fmt = 50, 40, "rgb24"
        file.mux(stream.encode(av.VideoFrame.from_ndarray(CARD, format="rgb24")))
        file.mux(stream.encode(None))
    assert np.array_equal(read_still(path).pixels, CARD)
    by_lines = b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0\1\0"
    assert by_lines in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(by_lines, by_lines[:-2] + b"\2\0"))
    with pytest.raises(MediaError, match="JPEG-LS of 8 bits in 3 channels"):
        read_still(path)
