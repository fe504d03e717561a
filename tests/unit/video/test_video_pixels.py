"""Frames to RGB and back, against the formulas of ITU-R BT.601, BT.709 and BT.2020."""

from __future__ import annotations

import dataclasses

import av
import numpy as np
import pytest

from edge_sr.errors import MediaError
from edge_sr.video.frames.colour import PQ, Colour, read_colour
from edge_sr.video.frames.pixels import (
    FromRgb,
    PixelLayout,
    ToRgb,
    even_neighbours,
    layout_of,
    read_planes,
    write_planes,
)
from edge_sr.video.frames.planes import read_plane, write_plane

WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def expected_rgb(codes: np.ndarray, colour: Colour, depth: int) -> np.ndarray:
    """RGB of ``3 x H x W`` codes, in float64 from the definition of luma."""
    red, blue = WEIGHTS[colour.matrix]
    unit, top = 2.0 ** (depth - 8), 2.0**depth - 1
    if colour.full_range:
        y, u, v = codes[0] / top, (codes[1] - 128 * unit) / top, (codes[2] - 128 * unit) / top
    else:
        y = (codes[0] - 16 * unit) / (219 * unit)
        u, v = ((codes[index] - 128 * unit) / (224 * unit) for index in (1, 2))
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return np.clip(np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], axis=-1), 0, 1)


def expected_codes(picture: np.ndarray, colour: Colour, depth: int) -> np.ndarray:
    """The inverse of ``expected_rgb``, not rounded."""
    red, blue = WEIGHTS[colour.matrix]
    unit, top = 2.0 ** (depth - 8), 2.0**depth - 1
    r, b = picture[..., 0], picture[..., 2]
    y = red * r + (1 - red - blue) * picture[..., 1] + blue * b
    u, v = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    if colour.full_range:
        return np.stack([y * top, u * top + 128 * unit, v * top + 128 * unit])
    return np.stack([y * 219 * unit + 16 * unit, u * 224 * unit + 128 * unit, v * 224 * unit + 128 * unit])


def codes_of(depth: int, low: int = 16, high: int = 235, height: int = 24, width: int = 36) -> np.ndarray:
    """Every luma from low to high, with chroma that is even all over: its siting cannot matter."""
    unit = 1 << (depth - 8)
    codes = np.empty((3, height, width), np.uint8 if depth == 8 else np.uint16)
    codes[0] = np.linspace(low * unit, high * unit, height * width).reshape(height, width)
    codes[1], codes[2] = 110 * unit, 150 * unit
    return codes


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("depth", "chroma"), [(8, "420"), (8, "444"), (10, "420"), (10, "422"), (12, "444")])
def test_rgb_is_what_the_matrix_and_range_say(matrix: int, full_range: bool, depth: int, chroma: str) -> None:
    colour = Colour(matrix, full_range, 1, 1)
    layout = PixelLayout(depth, chroma)
    codes = codes_of(depth)
    frame = write_planes(codes, PixelLayout(depth, "444").name)
    frame = frame.reformat(
        threads=1, format=layout.name, src_color_range=1 + full_range, dst_color_range=1 + full_range
    )
    picture = ToRgb(colour, layout)(frame)
    wanted = expected_rgb(codes.astype(np.float64), colour, depth)
    if layout.fits_uint8:
        assert picture.dtype == np.uint8
        assert np.abs(picture / 255 - wanted).max() <= 0.6 / 255
    else:
        assert picture.dtype == np.float32
        assert np.abs(picture - wanted).max() <= 1e-5


@pytest.mark.parametrize(
    ("depth", "chroma", "full_range"), [(10, "420", False), (10, "444", True), (8, "444", False)]
)
def test_codes_come_back_from_rgb(depth: int, chroma: str, full_range: bool) -> None:
    colour = Colour(1, full_range, 1, 1)
    codes = codes_of(depth, 70, 190)  # within RGB's gamut
    frame = write_planes(codes, PixelLayout(depth, "444").name)
    again = FromRgb(colour, PixelLayout(depth, chroma))(ToRgb(colour, PixelLayout(depth, "444"))(frame))
    assert again.format.name == PixelLayout(depth, chroma).name
    assert (again.colorspace, again.color_range) == (1, 1 + full_range)
    full_chroma = again.reformat(threads=1, format=PixelLayout(depth, "444").name)
    assert np.abs(read_planes(full_chroma) - codes).max() <= 1


@pytest.mark.parametrize(
    "name", ["yuv420p", "yuvj420p", "yuvj422p", "nv12", "gray", "gray10le", "rgb24", "gbrp"]
)
@pytest.mark.parametrize("depth", [8, 10])
def test_black_and_white_are_kept_in_a_layout_of_other_depth(name: str, depth: int) -> None:
    """Eight bits of an HDR film run as ten, ten of a camera as eight."""
    frame = av.VideoFrame(32, 16, name)
    layout = dataclasses.replace(layout_of(frame.format), depth=depth)
    full = layout.is_rgb or "j" in name
    unit = 1 << (frame.format.components[0].bits - 8)
    black, white = (0, 255) if full else (16 * unit, 235 * unit)
    for index, plane in enumerate(frame.planes):
        codes = np.full((plane.height, plane.line_size // (2 if unit > 1 else 1)), 128 * unit)
        if layout.is_rgb or index == 0:
            codes[:8], codes[8:] = black, white
        plane.update(codes.astype(np.uint8 if unit == 1 else "<u2").tobytes())
    picture = ToRgb(Colour(9, "j" in name, 9, PQ), layout)(frame)
    top = 255 if picture.dtype == np.uint8 else 1
    np.testing.assert_allclose(picture[2] / top, 0, atol=1e-4)
    np.testing.assert_allclose(picture[-2] / top, 1, atol=1e-4)


def test_eight_bit_pictures_come_back_within_rounding() -> None:
    colour = Colour(6, False, 6, 6)
    frame = write_planes(codes_of(8, 70, 190), "yuv444p").reformat(threads=1, format="yuv420p")
    layout = PixelLayout(8, "420")
    again = FromRgb(colour, layout)(ToRgb(colour, layout)(frame))
    assert np.abs(again.to_ndarray().astype(int) - frame.to_ndarray()).max() <= 1


@pytest.mark.parametrize("layout", [PixelLayout(8, "420"), PixelLayout(10, "422")])
@pytest.mark.parametrize("full_range", [False, True])
def test_chroma_of_eight_bit_pictures_is_rounded(full_range: bool, layout: PixelLayout) -> None:
    colour = Colour(1, full_range, 1, 1)
    patches = np.random.default_rng(5).integers(0, 256, (12, 16, 3), np.uint8)
    frame = FromRgb(colour, layout)(patches.repeat(16, 0).repeat(16, 1))
    dtype = np.uint8 if layout.depth == 8 else np.dtype("<u2")
    for index, plane in enumerate(frame.planes):
        across, down = 16 * plane.width // frame.width, 16 * plane.height // frame.height
        codes = read_plane(plane, dtype, plane.width)[down // 2 :: down, across // 2 :: across]
        error = codes - expected_codes(patches / 255, colour, layout.depth)[index]
        assert abs(error.mean()) < 0.15
        assert np.abs(error).max() < 0.6


@pytest.mark.parametrize(
    ("name", "depth", "chroma", "is_rgb"),
    [
        ("yuv420p", 8, "420", False),
        ("yuvj422p", 8, "422", False),
        ("yuv444p12le", 12, "444", False),
        ("nv12", 8, "420", False),
        ("p010le", 10, "420", False),
        ("yuv411p", 8, "420", False),
        ("gray10le", 10, "420", False),
        ("gbrp", 8, "444", True),
        ("rgb24", 8, "444", True),
    ],
)
def test_layout_of_a_pixel_format(name: str, depth: int, chroma: str, is_rgb: bool) -> None:
    layout = layout_of(av.VideoFormat(name, 16, 16))
    assert (layout.depth, layout.chroma, layout.is_rgb) == (depth, chroma, is_rgb)


def test_alpha_is_noticed() -> None:
    assert layout_of(av.VideoFormat("yuva420p", 16, 16)).has_alpha


def test_even_neighbours_follow_the_chroma() -> None:
    assert even_neighbours((33, 21), "420") == (34, 22)
    assert even_neighbours((33, 21), "422") == (34, 21)
    assert even_neighbours((33, 21), "444") == (33, 21)


def tagged(size: tuple[int, int], matrix: int = 2, transfer: int = 2, full: int = 0) -> av.VideoFrame:
    frame = av.VideoFrame(*size, "yuv420p")
    frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries = matrix, full, transfer, 2
    return frame


def test_untagged_films_get_the_matrix_that_players_assume() -> None:
    small, notes = read_colour(tagged((720, 576)))
    large, _ = read_colour(tagged((1280, 720)))
    assert (small.matrix, large.matrix) == (6, 1)
    assert "BT.601" in notes[0]


def test_tags_are_kept_as_they_are() -> None:
    colour, notes = read_colour(tagged((64, 48), matrix=5, transfer=6, full=2))
    assert colour == Colour(5, True, 2, 6, "center")
    assert not notes


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_known_and_taken_for_bt2020_where_it_names_no_matrix(transfer: int) -> None:
    frame = av.VideoFrame(1920, 1080, "yuv420p10le")
    frame.color_trc, frame.colorspace = transfer, 2
    colour, notes = read_colour(frame)
    assert (colour.is_hdr, colour.matrix, colour.transfer) == (True, 9, transfer)
    assert any("BT.2020" in note for note in notes)


def test_an_unknown_matrix_is_refused() -> None:
    with pytest.raises(MediaError, match="colour matrix 8"):
        read_colour(tagged((64, 48), matrix=8))


@pytest.mark.parametrize("name", ["rgb565", "rgb555", "bgr565", "bgr555"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_rgb_of_five_bits_is_read_in_either_byte_order(name: str, order: str) -> None:
    codes = np.random.default_rng(0).integers(0, 1 << 16, (48, 64)).astype(np.uint16)
    frame = av.VideoFrame(64, 48, name + order)
    write_plane(frame.planes[0], codes if order == "le" else codes.byteswap(), np.uint16)
    green = 6 if name.endswith("565") else 5
    parts = ((codes >> (5 + green)) & 31, (codes >> 5) & ((1 << green) - 1), codes & 31)
    wanted = np.stack([part / top for part, top in zip(parts, (31, (1 << green) - 1, 31), strict=True)], -1)
    wanted = wanted if name.startswith("rgb") else wanted[..., ::-1]
    found = ToRgb(Colour(1, False, 1, 1), layout_of(frame.format))(frame)
    assert np.abs(found - wanted).max() < 0.01


@pytest.mark.parametrize(
    ("name", "number"),
    [("grayf32le", "<f4"), ("grayf32be", ">f4"), ("grayf16le", "<f2"), ("grayf16be", ">f2")],
)
def test_grey_in_floating_point_is_black_at_0_and_white_at_1(name: str, number: str) -> None:
    """As of EXR and PFM; beyond them it is cut off."""
    values = np.tile(np.linspace(-0.25, 1.25, 64), (48, 1)).astype(number)
    try:
        frame = av.VideoFrame(64, 48, name)
    except ValueError:
        pytest.skip(f"this FFmpeg has no {name}")
    write_plane(frame.planes[0], values, np.dtype(number))
    found = ToRgb(read_colour(frame)[0], layout_of(frame.format))(frame)
    assert np.abs(found - values.clip(0, 1)[..., None]).max() < 1e-4
