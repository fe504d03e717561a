"""The resampler against hand-computed rows, Pillow and what any interpolation must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_sr import resample
from edge_sr.errors import OptionError, ShapeError

KERNELS = ("bicubic", "lanczos3")


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, channels), np.uint8)


def test_halving_widens_the_cubic_as_imresize_does() -> None:
    row = resample.weight_matrix(16, 8)[3]
    taps = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    assert np.allclose(row[3:11], taps, atol=1e-12)
    assert not row[:3].any() and not row[11:].any()


def test_doubling_takes_the_quarter_positions() -> None:
    row = resample.weight_matrix(8, 16)[8]
    assert np.allclose(row[2:6], np.array([-3, 29, 111, -9]) / 128)


def test_edges_are_mirrored() -> None:
    first = resample.weight_matrix(8, 16)[0]
    taps = np.array([-3, 29, 111, -9]) / 128  # input samples -2, -1, 0, 1
    assert np.allclose(first[:2], [taps[1] + taps[2], taps[0] + taps[3]])


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=60)
@given(source=st.integers(1, 90), target=st.integers(1, 200), antialias=st.booleans())
def test_bands_are_the_matrix(kernel: resample.Kernel, source: int, target: int, antialias: bool) -> None:
    matrix = resample.weight_matrix(source, target, kernel, antialias)
    assert np.allclose(matrix.sum(axis=1), 1)
    column = np.random.default_rng(1).random((source, 2))
    made = resample.resize_planes(column, (2, target), kernel, antialias)
    assert np.allclose(made, matrix @ column)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [(31, 17), (100, 91), (45, 120), (1, 1)])
def test_flat_stays_flat(kernel: resample.Kernel, size: tuple[int, int]) -> None:
    flat = np.full((40, 60, 3), 201, np.uint8)
    assert (resample.resize(flat, size, kernel) == 201).all()


@pytest.mark.parametrize(
    ("kernel", "pillow"), [("bicubic", Image.Resampling.BICUBIC), ("lanczos3", Image.Resampling.LANCZOS)]
)
@pytest.mark.parametrize("size", [(30, 25), (91, 77), (120, 100)])
def test_agrees_with_pillow_away_from_the_edge(
    kernel: resample.Kernel, pillow: Image.Resampling, size: tuple[int, int]
) -> None:
    image = noise(50, 60)[..., 0].astype(np.float32)
    ours = resample.resize(image, size, kernel)[8:-8, 8:-8]
    theirs = np.asarray(Image.fromarray(image).resize(size, pillow))[8:-8, 8:-8]
    assert np.abs(ours - theirs).max() < 1e-3


def test_same_size_is_the_same_picture() -> None:
    image = noise(9, 13)
    assert np.array_equal(resample.resize(image, (13, 9)), image)


def test_eight_bits_round_after_each_axis() -> None:
    image = noise(20, 30)
    twice = resample.resize(resample.resize(image, (15, 20)), (15, 10))
    assert np.array_equal(resample.resize(image, (15, 10)), twice)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_overshoot(dtype: type) -> None:
    step: np.ndarray = np.zeros((8, 8), dtype)
    step[:, 4:] = 1
    out = resample.resize(step, (24, 8))
    assert out.dtype == dtype and out.max() > 1 and out.min() < 0


def test_half_rounds_up_and_levels_are_clipped() -> None:
    assert resample.to_levels(np.array([0.5, 1.5, 2.49, -3.0, 300.0])).tolist() == [1, 2, 2, 0, 255]


def test_refusals() -> None:
    with pytest.raises(OptionError, match="bicubic, lanczos3"):
        resample.resize(noise(4, 4), (2, 2), "nearest")  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        resample.resize(noise(4, 4), (0, 2))
    with pytest.raises(ShapeError):
        resample.resize(noise(4, 4).astype(np.int16), (2, 2))
