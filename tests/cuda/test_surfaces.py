"""NV12 and P010 on the emulated GPU: equal to numpy bit for bit, and close to the project's own arithmetic."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from support.cuda.emulator import EmulatedGpu
from support.scenes import scene

from edge_sr.backends.cuda.video.surfaces import (
    codes_to_colours,
    colours_to_codes,
    from_picture,
    to_picture,
)
from edge_sr.video.frames.colour import LUMA_WEIGHTS, Colour
from edge_sr.video.frames.matrix import rgb_to_yuv, yuv_to_rgb
from edge_sr.yuv import Surface, YuvColour

MATRICES = {"601": 6, "709": 1, "2020": 9}
PITCH = 256
f32 = np.float32


def fused(a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""
    return (np.asarray(a, np.longdouble) * b + c).astype(f32)


def times(parts: list[Any], row: Any) -> Any:
    return fused(parts[0], row[0], fused(parts[1], row[1], fused(parts[2], row[2], row[3])))


def upsampled(chroma: Any, height: int, width: int, top: bool) -> Any:
    """Codes at every pixel: across, a pixel's own or midway; down, by quarters or on the upper row."""
    rows, columns = chroma.shape
    y, x = np.arange(height), np.arange(width)
    odd = y % 2 == 1
    other = np.clip(y // 2 + np.where(odd, 1, 0 if top else -1), 0, rows - 1)
    share = np.where(odd, 2, 4) if top else np.full(height, 3)
    down = chroma[y // 2] * share[:, None] + chroma[other] * (4 - share)[:, None]
    return (down[:, x // 2] + down[:, np.minimum((x + 1) // 2, columns - 1)]).astype(f32) / 8


def downsampled(picture: Any, top: bool) -> Any:
    height, width, _ = picture.shape

    def at(y: Any, x: Any) -> Any:
        return picture[np.clip(y, 0, height - 1)][:, np.clip(x, 0, width - 1)]

    y, x = np.arange(0, height, 2), np.arange(0, width, 2)

    def across(y: Any) -> Any:
        return (at(y, x - 1) + at(y, x + 1)) * f32(0.25) + at(y, x) * f32(0.5)

    if top:
        return (across(y - 1) + across(y + 1)) * f32(0.25) + across(y) * f32(0.5)
    return (across(y) + across(y + 1)) * f32(0.5)


def levels(picture: Any) -> Any:
    return picture.astype(f32) * f32(255 if picture.dtype == f32 else 1)


def codes(depth: int, height: int, width: int, seed: int = 0) -> tuple[Any, Any]:
    """Planes of noise as hardware lays them out, the pitch beyond them unwritten."""
    random, unit = np.random.default_rng(seed), np.uint8 if depth == 8 else np.uint16
    count = PITCH // np.dtype(unit).itemsize
    shape = (height, width), ((height + 1) // 2, (width + 1) // 2 * 2)
    planes = []
    for rows, columns in shape:
        plane = np.zeros((rows, count), unit)
        plane[:, :columns] = random.integers(0, 1 << depth, (rows, columns)) << (0 if depth == 8 else 6)
        planes.append(plane)
    return planes[0], planes[1]


def plain(plane: Any, columns: int, depth: int) -> Any:
    return (plane[:, :columns] >> (0 if depth == 8 else 6)).astype(f32)


CASES = list(itertools.product(MATRICES, (False, True), (8, 10), (False, True)))


@pytest.mark.parametrize("size", [(14, 18), (7, 5), (1, 1)])
@pytest.mark.parametrize(("matrix", "full", "depth", "top"), CASES)
def test_surfaces_equal_numpy(matrix: str, full: bool, depth: int, top: bool, size: tuple[int, int]) -> None:
    (height, width), gpu = size, EmulatedGpu(seed=1)
    colour = YuvColour(LUMA_WEIGHTS[MATRICES[matrix]], full, top)
    luma, chroma = codes(depth, height, width)
    surface = Surface(gpu.place(luma), gpu.place(chroma), PITCH, PITCH, width, height, depth)
    picture = gpu.empty((height, width, 3), np.uint8 if depth == 8 else f32)
    gpu.run(to_picture(surface, colour, gpu.address(picture)))

    columns = (width + 1) // 2 * 2
    pairs = plain(chroma, columns, depth)
    parts = [plain(luma, width, depth), *(upsampled(pairs[:, i::2], height, width, top) for i in (0, 1))]
    exact = np.stack([times(parts, row) for row in codes_to_colours(colour, depth)], axis=2)
    want = np.clip(exact, 0, 255)
    want = np.rint(want).astype(np.uint8) if depth == 8 else np.clip(exact * f32(1 / 255), 0, 1)
    assert np.array_equal(picture, want)

    back = [gpu.empty(plane.shape, plane.dtype) for plane in (luma, chroma)]
    target = Surface(gpu.address(back[0]), gpu.address(back[1]), PITCH, PITCH, width, height, depth)
    gpu.run(from_picture(gpu.place(picture), colour, target))
    rows = colours_to_codes(colour, depth)
    own, mean = levels(picture), downsampled(levels(picture), top)

    def rounded(values: Any) -> Any:
        return np.rint(np.clip(values, 0, (1 << depth) - 1))

    assert np.array_equal(
        plain(back[0], width, depth), rounded(times([own[..., c] for c in range(3)], rows[0]))
    )
    found = plain(back[1], columns, depth)
    for part in (0, 1):
        expected = rounded(times([mean[..., c] for c in range(3)], rows[1 + part]))
        assert np.array_equal(found[:, part::2], expected)


@pytest.mark.parametrize(
    ("matrix", "full", "depth"), [("601", False, 8), ("709", True, 8), ("2020", False, 10)]
)
def test_they_say_what_the_cpu_says(matrix: str, full: bool, depth: int) -> None:
    """Flat chroma, so that how it is interpolated says nothing: within rounding of the CPU's formulas."""
    colour = Colour(MATRICES[matrix], full, 1, 1)
    picture = np.ascontiguousarray(scene(3, 96, 80)[:16, :16]).astype(f32) / f32(255)
    picture[...] = picture[:1, :1]
    picture[:, 8:] *= f32(0.5)
    ours = YuvColour(colour.luma_weights, full)
    gpu = EmulatedGpu()
    kind: Any = np.uint16 if depth == 10 else np.uint8
    planes = [gpu.empty((rows, PITCH // np.dtype(kind).itemsize), kind) for rows in (16, 8)]
    surface = Surface(gpu.address(planes[0]), gpu.address(planes[1]), PITCH, PITCH, 16, 16, depth)
    given = picture if depth == 10 else np.rint(picture * 255).astype(np.uint8)
    gpu.run(from_picture(gpu.place(given), ours, surface))
    want = rgb_to_yuv(given.astype(f32) / f32(255 if depth == 8 else 1), colour, depth)
    assert np.abs(plain(planes[0], 16, depth) - want[0]).max() <= 1
    result = gpu.empty((16, 16, 3), given.dtype)
    gpu.run(to_picture(surface, ours, gpu.address(result)))
    away = np.abs(levels(result)[:, :6] - yuv_to_rgb(want.astype(f32), colour, depth)[:, :6] * 255)
    assert away.max() <= 1.5
