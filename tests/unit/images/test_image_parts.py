"""What a photo's file holds beside the photo, gain maps and films, is named as left out and no longer stated."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from edge_sr.tensors import reference_card
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


def test_a_photo_that_says_it_has_no_film_loses_none(tmp_path: Path) -> None:
    path, said = tmp_path / "phone.jpg", b'<rdf:Description GCamera:MotionPhoto="0"/>'
    Image.fromarray(CARD).save(path, xmp=said)
    still = read_still(path)
    assert (still.lost, still.metadata.xmp) == ((), said)
