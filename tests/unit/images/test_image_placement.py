"""What a file says in pixels is true of the picture that is written: turned, enlarged and cut."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from edge_sr.sizes import Box
from edge_sr.tensors import reference_card
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.stills import upscale_picture
from edge_sr.video.frames.orientation import UPRIGHT
from edge_sr.video.image.files.exif import Tags
from edge_sr.video.image.picture_file import EXIF_ORIENTATIONS
from edge_sr.video.image.placement import enlarged, placed_exif, placed_xmp, turned
from edge_sr.video.image.read import read_still

SIZE, TWICE = (96, 64), (192, 128)
PANORAMA = (
    b'<rdf:Description GPano:FullPanoWidthPixels="100" GPano:CroppedAreaImageWidthPixels="96" '
    b'GPano:CroppedAreaLeftPixels="3"><GPano:CroppedAreaTopPixels>5</GPano:CroppedAreaTopPixels>'
    b"<GPano:FullPanoHeightPixels>80</GPano:FullPanoHeightPixels></rdf:Description>"
)
FACES = (
    b'<mwg-rs:Regions><mwg-rs:AppliedToDimensions stDim:w="96" stDim:h="64" stDim:unit="pixel"/><rdf:li>'
    b'<mwg-rs:Area stArea:x="0.2" stArea:y="0.3" stArea:w="0.1" stArea:h="0.25"/></rdf:li></mwg-rs:Regions>'
)
SIZED = (
    b'<r exif:PixelXDimension="96" tiff:ImageLength="64"><exif:PixelYDimension>64</exif:PixelYDimension></r>'
)


@pytest.mark.parametrize(
    ("number", "place"),
    [
        *((1, (20, 30, 10, 8)), (2, (76, 30, 10, 8)), (3, (76, 34, 10, 8)), (4, (20, 34, 10, 8))),
        *((5, (30, 20, 8, 10)), (6, (34, 20, 8, 10)), (7, (34, 76, 8, 10)), (8, (30, 76, 8, 10))),
    ],
)
def test_the_subject_turns_with_its_picture(number: int, place: tuple[int, ...]) -> None:
    tags = Tags({}, {37396: (20, 30, 10, 8), 41492: (20, 30)})
    found = placed_exif(tags, turned(EXIF_ORIENTATIONS.get(number, UPRIGHT), SIZE)).exposure
    assert found == {37396: place, 41492: place[:2]}


def test_the_subject_grows_and_goes_where_it_is_not_to_be_seen() -> None:
    tags = Tags({}, {37396: (20, 30, 10), 33434: 0.1})
    assert placed_exif(tags, enlarged(SIZE, TWICE, None)).exposure[37396] == (40, 60, 20)
    assert placed_exif(tags, enlarged(SIZE, TWICE, Box(30, 50, 90, 90))).exposure[37396] == (10, 10, 20)
    assert placed_exif(tags, enlarged(SIZE, TWICE, Box(50, 0, 90, 90))).exposure == {33434: 0.1}


@pytest.mark.parametrize(
    "odd",
    [
        *((1,), (1, 2, 3, 4, 5), ("a", "b"), (float("nan"), 2), ("inf", 2), None, 7),
        *((1, 2, 1e300), ("1e308", 2), (1, 2, 1e308), (1, 2, -3)),
    ],
)
def test_a_subject_that_is_none_goes(odd: object) -> None:
    assert placed_exif(Tags({}, {37396: odd}), enlarged(SIZE, TWICE, None)).exposure == {}


def test_a_panorama_stays_on_its_sphere() -> None:
    whole, _ = placed_xmp(PANORAMA, enlarged(SIZE, TWICE, None))
    assert whole == (
        PANORAMA.replace(b'"100"', b'"200"').replace(b'"96"', b'"192"').replace(b'"3"', b'"6"')
        .replace(b">5<", b">10<").replace(b">80<", b">160<")
    )  # fmt: skip
    cut, _ = placed_xmp(PANORAMA, enlarged(SIZE, TWICE, Box(10, 20, 110, 60)))
    assert b'ImageWidthPixels="100"' in cut
    assert b'LeftPixels="16"' in cut
    assert b">30</GPano:CroppedAreaTop" in cut


def test_faces_turn_with_their_picture_and_go_where_it_is_cut() -> None:
    turn = turned(EXIF_ORIENTATIONS[6], SIZE)
    assert placed_xmp(FACES, turn) == (
        FACES.replace(b'w="96" stDim:h="64"', b'w="64" stDim:h="96"').replace(
            b'x="0.2" stArea:y="0.3" stArea:w="0.1" stArea:h="0.25"',
            b'x="0.7" stArea:y="0.2" stArea:w="0.25" stArea:h="0.1"',
        ),
        [],
    )
    grown, _ = placed_xmp(FACES, enlarged(SIZE, TWICE, None))
    assert grown == FACES.replace(b"96", b"192").replace(b"64", b"128")
    cut = enlarged(SIZE, TWICE, Box(0, 0, 50, 50))
    assert placed_xmp(b"<r>" + FACES + b"</r>", cut) == (
        b"<r></r>",
        ["the regions of its faces (the picture is cut)"],
    )


@pytest.mark.parametrize(
    "said",
    [
        b'<MPRI:Regions><rdf:li MPReg:PersonDisplayName="A" MPReg:Rectangle="%b"/></MPRI:Regions>',
        b"<MPRI:Regions><rdf:li><MPReg:Rectangle>%b</MPReg:Rectangle></rdf:li></MPRI:Regions>",
    ],
)
def test_so_do_those_in_microsofts_words(said: bytes) -> None:
    xmp = said % b"0.15, 0.175, 0.1, 0.25"
    assert placed_xmp(xmp, turned(EXIF_ORIENTATIONS[6], SIZE)) == (said % b"0.575, 0.15, 0.25, 0.1", [])
    assert placed_xmp(xmp, enlarged(SIZE, TWICE, None)) == (xmp, [])
    cut = enlarged(SIZE, TWICE, Box(0, 0, 50, 50))
    assert placed_xmp(xmp, cut) == (b"", ["the regions of its faces (the picture is cut)"])
    for odd in (b"", b"0.1, 0.2", b"0.1, 0.2, nan, 1", b"1.2.3, 0, 0, 0", b"-1, 0, 0, 0"):
        assert placed_xmp(said % odd, turned(EXIF_ORIENTATIONS[6], SIZE)) == (said % odd, [])


def test_xmp_says_the_size_and_the_subject() -> None:
    said = b"<exif:SubjectArea><rdf:Seq><rdf:li>20</rdf:li><rdf:li>30</rdf:li></rdf:Seq></exif:SubjectArea>"
    found, lost = placed_xmp(SIZED + said, enlarged(SIZE, TWICE, None))
    moved = said.replace(b">20<", b">40<").replace(b">30<", b">60<")
    assert (found, lost) == (SIZED.replace(b"96", b"192").replace(b"64", b"128") + moved, [])


def test_an_upscaled_picture_says_where_its_subject_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274], exif.get_ifd(34665)[37396] = 6, (20, 30, 10, 8)
    source, output = tmp_path / "a.jpg", tmp_path / "b.jpg"
    Image.fromarray(reference_card(*SIZE)).save(source, exif=exif.tobytes(), xmp=SIZED)
    request = Request(str(source), output, scale=Fraction(2), model="diinn-nano", backend="onnxruntime")
    upscale_picture(dataclasses.replace(request, precision="fp32", region=(30, 10, 20, 20)), Controls())
    found = read_still(output).metadata
    assert found.exif is not None
    assert found.exif.exposure[37396] == (8, 20, 16, 20)
    assert found.xmp == SIZED.replace(b"96", b"40").replace(b"64", b"40")


@pytest.mark.parametrize("number", ["", "1.2.3", ".", "-", "1e5", "9" * 400, "nan", "1e308"])
@pytest.mark.parametrize(
    "said",
    [
        '<r GPano:FullPanoWidthPixels="%s"/>',
        '<mwg-rs:Area stArea:x="%s" stArea:y="0.1"/>',
        "<r><exif:PixelXDimension>%s</exif:PixelXDimension></r>",
        "<exif:SubjectArea><rdf:li>%s</rdf:li></exif:SubjectArea>",
    ],
)
def test_what_is_no_number_is_left_alone_or_goes(number: str, said: str) -> None:
    xmp = (said % number).encode()
    assert placed_xmp(xmp, turned(EXIF_ORIENTATIONS[6], SIZE))[0] in (xmp, b"")


@pytest.mark.parametrize(
    "opened", ["<mwg-rs:Regions ", "<mwg-rs:Area>", "<exif:SubjectArea>", "<mwg-rs:AppliedToDimensions "]
)
def test_elements_that_never_end_cost_no_time(opened: str) -> None:
    xmp = opened.encode() * 100_000
    assert placed_xmp(xmp, enlarged(SIZE, TWICE, Box(0, 0, 9, 9))) == (xmp, [])
