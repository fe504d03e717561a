"""Damaged pictures are read as far as they decode, and that is said; of what decodes not at all nothing is made."""

from __future__ import annotations

import struct
import threading
import time
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image
from support.images import chunk, png, write_tiff
from support.upscaling import nano_request

from edge_sr.errors import MediaError
from edge_sr.tensors import reference_card
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale
from edge_sr.video.image.leniency import lenient
from edge_sr.video.image.read import read_info, read_still

CARD = reference_card(200, 150)


def cut(path: Path, share: float, **options: Any) -> Path:
    Image.fromarray(CARD).save(path, **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


@pytest.mark.parametrize("deep", [False, True])
def test_rows_that_are_missing_are_counted(tmp_path: Path, deep: bool) -> None:
    samples = CARD.astype(np.uint16) * 257 if deep else CARD
    path = tmp_path / "short.png"
    path.write_bytes(png(samples, rows=20))
    still = read_still(path)
    assert still.damage == "damaged: only 20 of 150 rows are there"
    top = still.pixels[:20] if not deep else np.rint(still.pixels[:20] * 255)
    assert np.array_equal(top, CARD[:20])
    path.write_bytes(png(samples, rows=0))
    with pytest.raises(MediaError, match="damaged"):
        read_still(path)


def test_a_tiff_whose_chain_of_pages_leads_nowhere_is_its_first_page(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(CARD).save(path)
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    struct.pack_into("<I", data, directory + 2 + 12 * count, len(data) + 100)
    path.write_bytes(data)
    assert read_info(path).size == (200, 150)
    assert np.array_equal(read_still(path).pixels, CARD)


@pytest.mark.parametrize(("name", "share"), [("a.png", 0.6), ("a.jpg", 0.6), ("a.bmp", 0.6), ("a.gif", 0.6)])
def test_what_decodes_of_a_cut_picture_is_kept(tmp_path: Path, name: str, share: float) -> None:
    path = cut(tmp_path / name, share)
    still = read_still(path)
    assert "damaged" in still.damage
    bottom_up = path.suffix == ".bmp"
    part = (still.pixels[::-1] if bottom_up else still.pixels)[:40].astype(int)
    wanted = (CARD[::-1] if bottom_up else CARD)[:40]
    assert np.abs(part - wanted).mean() < 45


@pytest.mark.parametrize("channels", [1, 3])
def test_a_deep_png_that_is_cut_short_is_read_as_far_as_it_decodes(tmp_path: Path, channels: int) -> None:
    """In colours its upper 8 bits."""
    path = tmp_path / "short.png"
    samples = CARD[..., :channels].astype(np.uint16) * 257
    whole = png(samples)
    path.write_bytes(whole[: len(whole) * 3 // 5])
    still = read_still(path)
    assert still.damage.startswith("damaged")
    levels = still.pixels if channels == 3 else np.rint(still.pixels * 255)
    assert np.array_equal(levels[:20, :, :channels], CARD[:20, :, :channels])
    assert bool(still.lost) == (channels == 3)
    assert (still.pixels[-1] == still.pixels[-1, 0]).all()


@pytest.mark.parametrize("name", ["a.tif", "a.pgm"])
def test_what_decodes_of_a_cut_picture_in_grey_is_kept(tmp_path: Path, name: str) -> None:
    path, grey = tmp_path / name, CARD[..., 0]
    Image.fromarray(grey).save(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)
    still = read_still(path)
    assert still.damage.startswith("damaged: ")
    assert np.array_equal(still.pixels[:50, :, 0], grey[:50])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_decodes_of_a_cut_tiff_of_16_bits_is_kept(tmp_path: Path, channels: int) -> None:
    path, deep = tmp_path / "a.tif", CARD[..., [0, 1, 2, 0]].astype(np.uint16) * 257
    write_tiff(path, deep[..., :channels], {338: 2} if channels == 4 else {})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    still = read_still(path)
    assert still.damage.startswith("damaged: ")
    half = len(CARD) // 2
    assert np.array_equal(np.rint(still.pixels[:half, :, 0] * 65535), deep[:half, :, 0])
    assert not still.pixels[-1].any()
    path.write_bytes(whole[:300])
    with pytest.raises(MediaError, match="damaged or cut short, and nothing of it decodes"):
        read_still(path)


@pytest.mark.parametrize("planar", [False, True])
def test_a_deep_tiff_that_memory_does_not_hold_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planar: bool
) -> None:
    path, deep = tmp_path / "a.tif", CARD.astype(np.uint16)
    write_tiff(path, deep.transpose(2, 0, 1) if planar else deep, {284: 2} if planar else {})

    def load(_image: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.load", load)
    with pytest.raises(MemoryError):
        read_still(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.tif", "a.qoi"])
@pytest.mark.parametrize("share", [0.02, 0.0])
def test_of_a_headers_rest_nothing_is_made(tmp_path: Path, name: str, share: float) -> None:
    if name == "a.tif" and share:
        pytest.skip("a TIFF may keep its directory in front")
    with pytest.raises(MediaError):
        read_still(cut(tmp_path / name, share))


@pytest.mark.parametrize("seed", range(60))
def test_mutated_pictures_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    name = ("a.png", "a.jpg", "a.webp", "a.tif", "a.gif", "a.bmp", "a.avif", "a.ppm", "a.jp2", "a.qoi")[
        seed % 10
    ]
    if name == "a.avif":
        pytest.importorskip("PIL._avif")
    path = tmp_path / name
    Image.fromarray(CARD[:40, :60].copy()).save(path)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    # Most of what matters stands in front.
    places = np.where(random.random(6) < 0.5, random.integers(0, 64, 6), random.integers(0, len(data), 6))
    data[places % len(data)] = random.integers(0, 256, 6)
    path.write_bytes(data.tobytes()[: int(random.integers(len(data) // 2, len(data) + 1))])
    try:
        still = read_still(path)
    except MediaError as error:
        assert "\n" not in str(error)
    else:
        assert still.pixels.ndim == 3


LONG = zlib.compress(b"a" * 2_000_000)
BAD_SUM = chunk(b"tEXt", b"Title\0hello")[:-4] + bytes(4)


@pytest.mark.parametrize(
    ("bad", "damaged"),
    [
        (chunk(b"zTXt", b"workflow\0\0" + LONG), False),
        (chunk(b"iTXt", b"workflow\0\1\0\0\0" + LONG), False),
        (chunk(b"iCCP", b"name\0\0" + LONG), False),
        (chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(80 << 20))), True),
        (BAD_SUM, True),
        (BAD_SUM.replace(b"tEXtTitle", b"pHYsTitle"), True),
        (chunk(b"tRNS", b"\0\1"), True),
    ],
    ids=["zTXt", "iTXt", "iCCP", "a bomb", "text's sum", "resolution's sum", "tRNS"],
)
def test_one_bad_chunk_costs_a_png_nothing_else(tmp_path: Path, bad: bytes, damaged: bool) -> None:
    if b"tRNS" in bad and int(PIL.__version__.partition(".")[0]) < 13:
        pytest.skip("Pillow cannot pass over this chunk before version 13")
    exif = Image.Exif()
    exif[274], exif[271] = 6, "A maker"
    path = tmp_path / "a.png"
    before = bad + chunk(b"tEXt", b"Author\0Ann") + chunk(b"eXIf", exif.tobytes()[6:])
    path.write_bytes(png(CARD, before=before))
    still = read_still(path)
    assert bool(still.damage) == damaged
    assert np.array_equal(still.pixels, np.rot90(CARD, -1))
    assert read_info(path).size == (150, 200)
    assert still.metadata.exif is not None and still.metadata.exif.main == {271: "A maker"}
    assert ("Author", "Ann") in still.metadata.text
    if bad[4:8] in (b"zTXt", b"iTXt") and not damaged:
        assert dict(still.metadata.text)["workflow"] == "a" * 2_000_000


class _Open(Silent):
    """How many have begun to be told of and have not ended."""

    count = 0

    def begin(self, total: int, done: int) -> None:
        self.count += 1

    def end(self) -> None:
        self.count -= 1


def test_a_picture_that_fails_ends_what_is_told_of_it(tmp_path: Path) -> None:
    """A terminal's cursor is hidden until then."""
    source = cut(tmp_path / "a.jpg", 0.6)
    request = nano_request(source, tmp_path / "out.png", scale=Fraction(2), strict=True)
    watcher = _Open()
    with pytest.raises(MediaError):
        upscale(request, Controls(watcher))
    assert watcher.count == 0


def test_damage_is_seen_while_another_thread_reads_a_damaged_picture(tmp_path: Path) -> None:
    path = cut(tmp_path / "short.jpg", 0.5)
    is_lenient = threading.Event()

    def read_a_damaged_one() -> None:
        with lenient():
            is_lenient.set()
            time.sleep(0.5)

    other = threading.Thread(target=read_a_damaged_one)
    other.start()
    is_lenient.wait()
    still = read_still(path)
    other.join()
    assert still.damage.startswith("damaged")
