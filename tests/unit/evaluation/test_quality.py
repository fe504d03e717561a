"""The measures against closed forms and against what a border must hide."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sr import quality
from edge_sr.errors import ShapeError

TWO = Fraction(2)


def picture(height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def test_luma_spans_16_to_235() -> None:
    ends = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    assert np.allclose(quality.luma(ends), [[16, 235, 16 + 65.481]])


def test_psnr_of_a_known_error() -> None:
    a = picture(30, 30).astype(np.float64)
    assert quality.psnr_rgb(a + 5, a, TWO) == pytest.approx(20 * math.log10(255 / 5))
    assert quality.psnr_y(a + 5, a, TWO) == pytest.approx(20 * math.log10(255 / (5 * 219 / 255)))


def test_equal_pictures() -> None:
    a = picture()
    same = quality.compare(a, a, TWO)
    assert math.isinf(same.psnr_y) and math.isinf(same.psnr_rgb) and same.ssim_y == pytest.approx(1)


@pytest.mark.parametrize(("scale", "border"), [(TWO, 2), (Fraction("2.5"), 3), (Fraction(4), 4)])
def test_borders(scale: Fraction, border: int) -> None:
    a = picture()
    b = a.copy()
    b[:border], b[-border:], b[:, :border], b[:, -border:] = 0, 0, 0, 0
    assert math.isinf(quality.psnr_y(a, b, scale))
    assert quality.ssim_y(a, b, scale) == pytest.approx(1)
    b[border, border] = ~a[border, border]
    assert quality.psnr_y(a, b, scale) < 100
    assert math.isinf(quality.psnr_rgb(a, b, scale))
    b[border + 6, border + 6] = ~a[border + 6, border + 6]
    assert quality.psnr_rgb(a, b, scale) < 100


def test_ssim_is_the_windowed_formula() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((11, 11)) * 255, rng.random((11, 11)) * 255
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    ma, mb = (window * a).sum(), (window * b).sum()
    va, vb, cov = (
        (window * a * a).sum() - ma**2,
        (window * b * b).sum() - mb**2,
        (window * a * b).sum() - ma * mb,
    )
    c1, c2 = 6.5025, 58.5225
    expected = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert quality.ssim(a, b) == pytest.approx(expected)


@given(st.integers(8, 400), st.integers(8, 400), st.integers(1, 4))
def test_whole_scales_cut_to_a_multiple(width: int, height: int, scale: int) -> None:
    sizes = quality.pair_sizes((width, height), Fraction(scale))
    assert sizes.high == (width // scale * scale, height // scale * scale)
    assert sizes.low == (width // scale, height // scale)


@given(st.integers(8, 400), st.integers(8, 400), st.fractions(1, 8, max_denominator=100))
def test_other_scales_cut_a_little(width: int, height: int, scale: Fraction) -> None:
    sizes = quality.pair_sizes((width, height), scale)
    for full, low, high in zip((width, height), sizes.low, sizes.high, strict=True):
        assert low == full // scale
        assert high == math.floor(low * scale + Fraction(1, 2))
        assert full - scale - Fraction(1, 2) < high <= full + Fraction(1, 2)


def test_refusals() -> None:
    with pytest.raises(ShapeError, match="one size"):
        quality.compare(picture(), picture(41), TWO)
    with pytest.raises(ShapeError, match="more than 16 pixels"):
        quality.compare(picture(16, 16), picture(16, 16), TWO)
    with pytest.raises(ShapeError, match="at least 4 pixels"):
        quality.pair_sizes((3, 9), Fraction(4))
