"""PNG's rarer chunks: the pixels' shape is kept, a text's language too, and the others are named."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import chunk, png, through

from edge_sr.tensors import reference_card
from edge_sr.video.image.read import read_still

CARD = reference_card(30, 20)
DEEP = CARD.astype(np.uint16) * 256 + 77


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def test_chunks_that_nobody_hands_on_are_named(tmp_path: Path) -> None:
    path = tmp_path / "said.png"
    before = chunk(b"sBIT", bytes([5, 6, 5])) + chunk(b"bKGD", bytes(6)) + chunk(b"caBX", b"provenance")
    path.write_bytes(png(CARD, before=before, after=chunk(b"tIME", bytes([7, 232, 1, 2, 3, 4, 5]))))
    assert read_still(path).lost == ("the chunks bKGD, caBX, tIME",)


@pytest.mark.parametrize(
    ("kind", "length"), [("cHRM", 28), ("cICP", 3), ("gAMA", 5), ("sRGB", 2), ("mDCV", 2), ("cLLI", 9)]
)
def test_a_colour_chunk_of_another_length_is_named_and_not_written(
    tmp_path: Path, kind: str, length: int
) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(png(CARD, before=chunk(kind.encode(), bytes(length))))
    assert through(path, "PNG")[1] == [f"the chunk {kind}"]
    assert kind.encode() not in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize(("primaries", "transfer"), [(0, 13), (255, 13), (9, 3), (9, 19)])
def test_colours_that_h273_does_not_define_are_named_and_not_written(
    tmp_path: Path, primaries: int, transfer: int
) -> None:
    """libheif reads no file that says them."""
    path = tmp_path / "in.png"
    path.write_bytes(png(CARD, before=chunk(b"cICP", bytes([primaries, transfer, 0, 1]))))
    assert through(path, "PNG")[1] == ["the colour description cICP (its numbers mean nothing)"]
    assert b"cICP" not in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
def test_damage_behind_the_pixels_costs_no_text_before_them(tmp_path: Path, card: np.ndarray) -> None:
    path = tmp_path / "in.png"
    text = chunk(b"tEXt", b"Author\0Ann")
    path.write_bytes(png(card, before=text, after=chunk(b"fdAT", b"")))
    assert read_still(path).metadata.text == (("Author", "Ann"),)


@pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
def test_a_text_keeps_its_language(tmp_path: Path, card: np.ndarray) -> None:
    text = "Title\0\0\0de\0Titel\0Schön".encode()
    path = tmp_path / "in.png"
    path.write_bytes(png(card, before=chunk(b"iTXt", text)))
    assert through(path, "PNG")[1] == []
    assert chunk(b"iTXt", text) in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
def test_the_shape_of_pixels_is_kept_in_png_and_jpeg_and_named_elsewhere(
    tmp_path: Path, card: np.ndarray
) -> None:
    path = tmp_path / "in.png"
    shape = chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0))
    path.write_bytes(png(card, before=shape, after=chunk(b"eXIf", turned().tobytes()[6:])))
    image, lost = through(path, "PNG")
    # What was across is down in the picture turned upright.
    assert (image.info["aspect"], lost) == ((1, 2), [])
    image, _ = through(path, "JPEG")
    assert (image.info["jfif_unit"], image.info["jfif_density"]) == (0, (1, 2))
    assert through(tmp_path / "out.jpg", "PNG")[0].info["aspect"] == (1, 2)
    assert "the shape of the pixels (TIFF has no place for it)" in through(path, "TIFF")[1]


def test_the_resolution_of_a_turned_picture_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    Image.fromarray(CARD).save(path, exif=turned(), dpi=(300, 200))
    assert read_still(path).metadata.dpi == (200, 300)
