"""What a photo's file holds beside the photo, gain maps and films, is named as left out and no longer stated."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image

from edge_sr.tensors import reference_card
from edge_sr.video.image.files.xmp import lists_parts, without_parts
from edge_sr.video.image.read import read_still

CARD = reference_card(30, 20)


def test_a_gain_map_is_named_and_no_longer_stated(tmp_path: Path) -> None:
    described = (
        b'<rdf:Description xmlns:hdrgm="u" dc:creator="Ann" hdrgm:Version="1.0"><hdrgm:GainMapMax>2</hdrgm:GainMapMax>'
        b'<Container:Directory><rdf:Seq><rdf:li Item:Semantic="GainMap"/></rdf:Seq></Container:Directory>'
        b"</rdf:Description>"
    )
    path = tmp_path / "phone.jpg"
    Image.fromarray(CARD).save(path, xmp=described)
    still = read_still(path)
    assert still.lost == ("the gain map (the SDR picture is read)",)
    assert still.metadata.xmp == b'<rdf:Description xmlns:hdrgm="u" dc:creator="Ann"></rdf:Description>'


@pytest.mark.parametrize(
    "said",
    [
        b' GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1" GCamera:MotionPhotoPresentationTimestampUs="7"',
        b' GCamera:MicroVideo="1" GCamera:MicroVideoVersion="1" GCamera:MicroVideoOffset="1234"',
        b" Camera:MotionPhoto = '1'",
    ],
    ids=["motion photo", "micro video", "new prefix"],
)
@pytest.mark.parametrize("listed", [False, True])
def test_the_film_of_a_motion_photo_is_named_and_no_longer_stated(
    tmp_path: Path, said: bytes, listed: bool
) -> None:
    files = (
        b'<Container:Directory><rdf:Seq><rdf:li><Container:Item Item:Mime="video/mp4" Item:Semantic="MotionPhoto" '
        b'Item:Length="1234"/></rdf:li></rdf:Seq></Container:Directory>'
    )
    path = tmp_path / "phone.jpg"
    described = b'<rdf:Description dc:creator="Ann"' + said + b">" + files * listed + b"</rdf:Description>"
    Image.fromarray(CARD).save(path, xmp=described)
    path.write_bytes(path.read_bytes() + b"\0\0\0\x18ftypmp42")
    still = read_still(path)
    assert still.lost == ("the motion photo's film (its picture is read)",)
    assert still.metadata.xmp == b'<rdf:Description dc:creator="Ann"></rdf:Description>'


def samsungs_list(kind: int, data: bytes) -> bytes:
    """What Samsung's cameras put behind a JPEG: one thing and a list of it."""
    named = struct.pack("<2xHI", kind, 4) + b"Name" + data
    listed = b"SEFH" + struct.pack("<II2xHII", 106, 1, kind, len(named), len(named))
    return named + listed + struct.pack("<I", len(listed)) + b"SEFT"


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        ("phone.jpg", samsungs_list(0x0A30, b"\0\0\0\x18ftypmp42")),
        ("phone.avif", b"\0\0\0\x10mpvd\0\0\0\x08ftyp"),
    ],
)
def test_the_film_of_a_motion_photo_is_named_where_no_xmp_states_it(
    tmp_path: Path, name: str, behind: bytes
) -> None:
    path = tmp_path / name
    Image.fromarray(CARD).save(path)
    path.write_bytes(path.read_bytes() + behind)
    still = read_still(path)
    assert still.lost == ("the motion photo's film (its picture is read)",)
    assert still.metadata.xmp is None


@pytest.mark.parametrize("behind", [samsungs_list(0x0A01, b"1234"), b"SEFT", b"\xff\xff\xff\xffSEFT", b""])
def test_what_else_lies_behind_a_photo_is_no_film(tmp_path: Path, behind: bytes) -> None:
    path = tmp_path / "phone.jpg"
    Image.fromarray(CARD).save(path)
    path.write_bytes(path.read_bytes() + behind)
    assert read_still(path).lost == ()


def test_other_parts_of_a_photo_are_named_and_no_longer_listed(tmp_path: Path) -> None:
    listed = (
        b'<Container:Directory><rdf:Seq><rdf:li Item:Mime="image/jpeg"/>%b</rdf:Seq></Container:Directory>'
    )
    path, depth = tmp_path / "phone.jpg", b'<rdf:li Item:Mime="image/jpeg" Item:DataURI="android/depthmap"/>'
    Image.fromarray(CARD).save(path, xmp=b"<r>" + listed % depth + b"</r>")
    still = read_still(path)
    assert still.lost == ("the other parts that its XMP lists (its picture is read)",)
    assert still.metadata.xmp == b"<r></r>"
    Image.fromarray(CARD).save(path, xmp=listed % b"")
    assert read_still(path).lost == ()


@pytest.mark.parametrize("opened", [b"<hdrgm:a ", b"<hdrgm:a>", b"<Container:Directory>"])
def test_parts_that_never_end_cost_no_time(opened: bytes) -> None:
    assert without_parts(opened * 100_000) == opened * 100_000
    assert not lists_parts(opened * 100_000)


@pytest.mark.parametrize(
    ("segments", "lost"),
    [
        ([(11, b"JP\0\1\0\0\0\1\0\0\1\0jumb....jumdc2pa\0")], "its Content Credentials (C2PA), which vouch"),
        ([(2, b"urn:iso:std:iso:ts:21496:-1\0\0\0")], "the gain map (the SDR picture is read)"),
        ([(4, b"Samsung"), (5, b"x"), (4, b"y")], "the JPEG segments APP4, APP5"),
        ([(12, b"Ducky\0"), (13, b"Photoshop 3.0\0"), (14, b"Adobe\0d\0\0\0\0\1")], ""),
    ],
)
def test_segments_that_nobody_hands_on_are_named(
    tmp_path: Path, segments: list[tuple[int, bytes]], lost: str
) -> None:
    path = tmp_path / "signed.jpg"
    Image.fromarray(CARD).save(path)
    whole = path.read_bytes()
    added = (
        b"\xff" + bytes([0xE0 + kind]) + struct.pack(">H", 2 + len(data)) + data for kind, data in segments
    )
    path.write_bytes(whole[:2] + b"".join(added) + whole[2:])
    found = read_still(path).lost
    assert len(found) == bool(lost)
    assert "".join(found).startswith(lost)


@pytest.mark.parametrize(
    ("kind", "name"), [(b"urn:mpeg:hevc:2015:auxid:2", "depth"), (b"urn:com:apple:photo:matte1", "matte1")]
)
def test_the_depth_and_the_mattes_of_a_heic_are_named(tmp_path: Path, kind: bytes, name: str) -> None:
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "portrait.heic"
    heif.register_heif_opener()
    Image.fromarray(reference_card(64, 64)).convert("RGBA").save(path)
    alpha = b"urn:mpeg:hevc:2015:auxid:1"
    assert alpha in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(alpha, kind))
    still = read_still(path)
    assert (still.alpha, still.lost) == (None, (f"what belongs to it ({name})",))


def test_a_photo_that_says_it_has_no_film_loses_none(tmp_path: Path) -> None:
    path, said = tmp_path / "phone.jpg", b'<rdf:Description GCamera:MotionPhoto="0"/>'
    Image.fromarray(CARD).save(path, xmp=said)
    still = read_still(path)
    assert (still.lost, still.metadata.xmp) == ((), said)
