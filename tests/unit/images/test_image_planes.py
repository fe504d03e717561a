"""A TIFF or Photoshop file that keeps each channel for itself is the picture that it is interleaved."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.images import psd, write_tiff

from edge_sr.errors import MediaError
from edge_sr.tensors import reference_card
from edge_sr.video.image.files.tiff_planes import planes
from edge_sr.video.image.read import read_info, read_still
from edge_sr.video.image.recognise import is_still

CARD = reference_card(50, 40)
DEEP = CARD.astype(np.uint16) * 257 - CARD.astype(np.uint16) // 3
TILES = {322: 16, 323: 16}
CARDS = pytest.mark.parametrize("card", [CARD, DEEP], ids=["8 bits", "16 bits"])
LAYOUTS = pytest.mark.parametrize("tags", [{}, TILES], ids=["strips", "tiles"])


def levels(samples: np.ndarray | None, card: np.ndarray) -> np.ndarray:
    assert samples is not None
    assert samples.dtype == (np.uint8 if card is CARD else np.float32)
    return samples if card is CARD else np.rint(samples * 65535).astype(np.uint16)


@CARDS
@LAYOUTS
@pytest.mark.parametrize("order", "<>")
def test_colours_and_alpha_in_planes(
    tmp_path: Path, card: np.ndarray, tags: dict[int, Any], order: str
) -> None:
    path = tmp_path / "planes.tif"
    write_tiff(path, card[..., [0, 1, 2, 1]].transpose(2, 0, 1), {284: 2, 338: 2, **tags}, order)
    still = read_still(path)
    assert read_info(path).size == (50, 40)
    assert read_info(path).deep == (card is DEEP)
    assert np.array_equal(levels(still.pixels, card), card)
    assert np.array_equal(levels(still.alpha, card), card[..., 1])


@CARDS
@LAYOUTS
@pytest.mark.parametrize("white", [False, True])
def test_grey_and_alpha_in_planes(
    tmp_path: Path, card: np.ndarray, tags: dict[int, Any], white: bool
) -> None:
    path, top = tmp_path / "planes.tif", np.iinfo(card.dtype).max
    grey = top - card[..., 0] if white else card[..., 0]
    write_tiff(path, np.stack([grey, card[..., 1]]), {284: 2, 262: int(not white), 338: 2, **tags})
    still = read_still(path)
    assert still.grey
    assert read_info(path).content == "TIFF"
    assert np.array_equal(levels(still.pixels, card)[..., 2], card[..., 0])
    assert np.array_equal(levels(still.alpha, card), card[..., 1])


@CARDS
def test_what_is_beside_the_colours_is_named_or_divided_out(tmp_path: Path, card: np.ndarray) -> None:
    path, planes = tmp_path / "planes.tif", card[..., [0, 1, 2, 1]].transpose(2, 0, 1)
    write_tiff(path, planes, {284: 2, 338: 0})
    still = read_still(path)
    assert still.alpha is None
    assert still.lost == ("a channel beside the colours that is not said to be alpha",)
    write_tiff(path, np.minimum(planes, planes[3]), {284: 2, 338: 1})
    still = read_still(path)
    assert np.array_equal(levels(still.alpha, card), card[..., 1])
    opaque, top = card[..., 1] > 0, np.iinfo(card.dtype).max
    wanted = np.minimum(card[..., 0], card[..., 1])[opaque].astype(float) / card[..., 1][opaque] * top
    assert np.abs(levels(still.pixels, card)[..., 0][opaque] - wanted).max() <= 1


def packed_big_tiff(planes: np.ndarray) -> bytes:
    """A BigTIFF of grey and alpha, each plane deflated differences of its 16 bits from the pixel to the left."""
    differences = planes.copy()
    differences[..., 1:] -= planes[..., :-1]
    strips = [zlib.compress(plane.astype("<u2").tobytes()) for plane in differences]
    height, width = planes.shape[1:]
    where, ends = 16, 16 + len(strips[0])
    tags = {
        256: (3, (width,)), 257: (3, (height,)), 258: (3, (16, 16)), 259: (3, (8,)), 262: (3, (1,)),
        273: (16, (where, ends)), 277: (3, (2,)), 278: (3, (height,)), 279: (16, tuple(map(len, strips))),
        284: (3, (2,)), 317: (3, (2,)), 338: (3, (2,)),
    }  # fmt: skip
    data = b"".join(strips)
    place = 16 + len(data)
    spilt, table = b"", struct.pack("<Q", len(tags))
    for tag, (kind, numbers) in tags.items():
        value = struct.pack(f"<{len(numbers)}{'H' if kind == 3 else 'Q'}", *numbers)
        if len(value) > 8:
            at = place + 8 + 20 * len(tags) + 8 + len(spilt)
            spilt, value = spilt + value, struct.pack("<Q", at)
        table += struct.pack("<HHQ", tag, kind, len(numbers)) + value.ljust(8, b"\0")
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, place) + data + table + bytes(8) + spilt


def test_planes_of_a_packed_bigtiff(tmp_path: Path) -> None:
    path = tmp_path / "big.tif"
    path.write_bytes(packed_big_tiff(DEEP[..., :2].transpose(2, 0, 1)))
    still = read_still(path)
    assert (still.lost, still.damage) == ((), "")
    assert np.array_equal(levels(still.pixels, DEEP)[..., 0], DEEP[..., 0])
    assert np.array_equal(levels(still.alpha, DEEP), DEEP[..., 1])


@pytest.mark.parametrize("order", "<>")
@LAYOUTS
def test_grey_that_counts_from_white(tmp_path: Path, tags: dict[int, Any], order: str) -> None:
    path = tmp_path / "grey.tif"
    write_tiff(path, 65535 - DEEP[..., :1], {262: 0, **tags}, order)
    assert np.array_equal(levels(read_still(path).pixels, DEEP)[..., 0], DEEP[..., 0])


@CARDS
@LAYOUTS
@pytest.mark.parametrize("white", [False, True])
def test_grey_in_a_single_plane(tmp_path: Path, card: np.ndarray, tags: dict[int, Any], white: bool) -> None:
    path, top = tmp_path / "grey.tif", np.iinfo(card.dtype).max
    grey = top - card[..., 0] if white else card[..., 0]
    write_tiff(path, grey[None], {284: 2, 262: int(not white), **tags})
    assert np.array_equal(levels(read_still(path).pixels, card)[..., 0], card[..., 0])


@pytest.mark.parametrize("white", [False, True])
def test_black_and_white_in_a_single_plane(tmp_path: Path, white: bool) -> None:
    path, shown = tmp_path / "fax.tif", CARD[:, :48, 0] > 100
    write_tiff(
        path, np.packbits(shown != white, axis=1)[None], {284: 2, 262: int(not white), 256: 48, 258: 1}
    )
    assert np.array_equal(read_still(path).pixels[..., 1], shown * np.uint8(255))


def test_a_plane_that_does_not_decode_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "cut.tif"
    write_tiff(path, DEEP[..., :2].transpose(2, 0, 1), {284: 2, 262: 1, 338: 2})
    path.write_bytes(path.read_bytes()[:-500])
    assert read_still(path).damage.startswith("damaged: ")
    path.write_bytes(packed_big_tiff(DEEP[..., :2].transpose(2, 0, 1)).replace(b"\x78\x9c", b"\0\0"))
    with pytest.raises(MediaError, match="damaged or cut short"):
        read_still(path)


def test_planes_whose_end_is_not_there_are_damage_however_little_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    write_tiff(path, DEEP.transpose(2, 0, 1), {284: 2})
    for whole in (path.read_bytes(), psd(DEEP, {}), psd(DEEP[..., :2], {})):
        path.write_bytes(whole[:-60])
        still = read_still(path)
        assert still.damage.startswith("damaged: ")
        cut = still.pixels[..., 2] if still.alpha is None else still.alpha
        assert not cut[-1, -30:].any()


def test_a_large_file_is_not_copied_for_each_channel_at_once(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    write_tiff(path, np.zeros((4, 1000, 1000), np.uint16), {284: 2, 338: (2,)})
    tracemalloc.start()
    for plane in planes(path, 4):
        assert plane.getbuffer().nbytes > 8_000_000
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 3.5 * 8_000_000


def test_tags_that_a_tiff_need_not_say(tmp_path: Path) -> None:
    path = tmp_path / "short.tif"
    write_tiff(path, DEEP.transpose(2, 0, 1), {284: 2, 258: 16})
    assert np.array_equal(levels(read_still(path).pixels, DEEP), DEEP)
    write_tiff(path, 65535 - DEEP[..., :1], {262: 0})
    channels, unknown = (struct.pack("<HHI", tag, 3, 1) for tag in (277, 276))
    path.write_bytes(path.read_bytes().replace(channels, unknown))
    assert np.array_equal(levels(read_still(path).pixels, DEEP)[..., 0], DEEP[..., 0])


def test_what_a_planar_tiff_says_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "said.tif"
    write_tiff(
        path, DEEP[..., :2].transpose(2, 0, 1), {284: 2, 262: 1, 338: 2, 274: 6, 282: 300, 283: 200, 296: 2}
    )
    still = read_still(path)
    assert still.pixels.shape == (50, 40, 3)
    assert still.metadata.dpi == (200, 300)


@CARDS
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("packed", "large"), [(True, False), (False, True), (True, True)])
def test_photoshop_files(tmp_path: Path, card: np.ndarray, channels: int, packed: bool, large: bool) -> None:
    path = tmp_path / "a.psb"
    path.write_bytes(
        psd(card[..., [0, 1, 2, 1]][..., :channels], {1060: b"<x/>"}, packed=packed, large=large)
    )
    still, info = read_still(path), read_info(path)
    assert is_still(path)
    assert (info.size, info.deep, info.content) == ((50, 40), card is DEEP, "PSD")
    assert (still.grey, still.metadata.xmp, still.damage, still.lost) == (channels < 3, b"<x/>", "", ())
    shown = levels(still.pixels, card)
    assert np.array_equal(shown, card[..., [0, 1, 2] if channels > 2 else [0, 0, 0]])
    assert (still.alpha is None) == (channels % 2 == 1)
    if still.alpha is not None:
        assert np.array_equal(levels(still.alpha, card), card[..., 1])


@CARDS
def test_channels_of_a_photoshop_file_beside_alpha_are_named(tmp_path: Path, card: np.ndarray) -> None:
    path = tmp_path / "a.psd"
    path.write_bytes(psd(card[..., [0, 1, 2, 1, 0]], {}))
    still = read_still(path)
    assert np.array_equal(levels(still.pixels, card), card)
    assert np.array_equal(levels(still.alpha, card), card[..., 1])
    assert still.lost == ("the channels beside the colours and alpha",)


@pytest.mark.parametrize("tag", [256, 258, 277, 284])
def test_a_tag_of_planes_that_is_no_number(tmp_path: Path, tag: int) -> None:
    path = tmp_path / "text.tif"
    write_tiff(path, DEEP[..., :2].transpose(2, 0, 1), {284: 2, 262: 1, 338: 2})
    head = struct.pack("<HH", tag, 4 if tag == 256 else 3)
    path.write_bytes(path.read_bytes().replace(head, struct.pack("<HH", tag, 2)))
    for read in (read_info, read_still):
        with pytest.raises(MediaError, match="damaged"):
            read(path)


def test_a_photoshop_file_whose_layers_never_end(tmp_path: Path) -> None:
    path = tmp_path / "a.psb"
    path.write_bytes(psd(DEEP, {}, large=True)[:34] + b"\xff" * 100)
    assert read_info(path).size == (50, 40)
    with pytest.raises(MediaError, match="damaged or cut short"):
        read_still(path)


@pytest.mark.parametrize(("left", "packed"), [(40, True), (60, True), (2000, True), (40, False)])
def test_a_photoshop_file_that_ends_early(tmp_path: Path, left: int, packed: bool) -> None:
    path = tmp_path / "a.psd"
    path.write_bytes(psd(DEEP, {}, packed=packed)[:left])
    with pytest.raises(MediaError, match="damaged or cut short"):
        read_still(path)
