"""JPEG XL: how deep it is, by its header, and what is read of it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.tensors import reference_card
from edge_sr.video.image.files.jxl_header import bits_of
from edge_sr.video.image.read import read_info, read_still

# The beginnings of codestreams by libjxl.
BEGINNINGS = {
    "ff0a094124080401004d159b0e007574": 8,
    "ff0a094150dc0808040100650d0b801a": 8,
    "ff0a095140d12208040100591f9b0e00": 10,
    "ff0a31f19350b9b78a200012880200f8": 16,
}


@pytest.mark.parametrize(("beginning", "bits"), BEGINNINGS.items())
@pytest.mark.parametrize("kind", ["bare", "jxlc", "jxlp"])
def test_the_header_says_how_deep_it_is(tmp_path: Path, beginning: str, bits: int, kind: str) -> None:
    stream, path = bytes.fromhex(beginning), tmp_path / "a.jxl"
    if kind != "bare":
        content = bytes(4) * (kind == "jxlp") + stream
        boxes = ((b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (kind.encode(), content))
        stream = b"".join(struct.pack(">I4s", 8 + len(data), name) + data for name, data in boxes)
    path.write_bytes(stream)
    assert bits_of(path) == bits


def test_a_header_that_ends_early_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jxl"
    for content in (b"", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"):
        path.write_bytes(content)
        assert bits_of(path) == 8


def test_grey_of_16_bits_keeps_them(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    path, grey = tmp_path / "a.jxl", reference_card(50, 40)[..., 0].astype(np.uint16) * 251
    Image.fromarray(grey).save(path, lossless=True)
    still = read_still(path)
    assert read_info(path).deep
    assert np.array_equal(np.rint(still.pixels[..., 1] * 65535), grey)
