"""Sizes, regions, nearest pixels and offsets against definitions in exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sr.errors import OptionError
from edge_sr.grid import cell_ratio, first_output, nearest, offsets, sampling_grid
from edge_sr.sizes import Box, output_region, output_size, parse_scale

RATIOS = [Fraction(7 + i, 7) for i in range(50)]


def defined_nearest(before: int, after: int, i: int) -> int:
    centre = Fraction(2 * i + 1, 2 * after)
    return math.floor(centre * before)


@pytest.mark.parametrize("before", range(4, 71))
def test_nearest_and_offsets_at_every_ratio_in_sevenths(before: int) -> None:
    for ratio in RATIOS:
        after, _ = output_size(before, before, scale=ratio)
        rows, distance = nearest(before, after), offsets(before, after)
        expected = [defined_nearest(before, after, i) for i in range(after)]
        assert rows.tolist() == expected
        exact = [
            (Fraction(2 * i + 1, after) - Fraction(2 * row + 1, before)) * before
            for i, row in enumerate(expected)
        ]
        assert np.abs(distance).max() <= 1
        assert distance.tolist() == [np.float32(float(value)) for value in exact]


def test_nearest_agrees_with_pytorch_away_from_ties() -> None:
    torch = pytest.importorskip("torch")
    for before, after in ((17, 40), (23, 23), (11, 88), (64, 101)):
        line = torch.arange(before, dtype=torch.float32).reshape(1, 1, before)
        theirs = (
            torch.nn.functional.interpolate(line, size=after, mode="nearest-exact").flatten().int().numpy()
        )
        ties = [i for i in range(after) if ((2 * i + 1) * before) % (2 * after) == 0]
        keep = np.setdiff1d(np.arange(after), ties)
        assert np.array_equal(nearest(before, after)[keep], theirs[keep])


@given(st.integers(1, 200), st.integers(0, 300), st.integers(0, 200))
def test_first_output_is_where_the_nearest_row_is_reached(before: int, growth: int, row: int) -> None:
    after = before + growth
    reached = np.nonzero(nearest(before, after) >= row)[0]
    assert first_output(before, after, row) == (int(reached[0]) if len(reached) else after)


@given(st.integers(1, 400), st.fractions(1, 8, max_denominator=12))
def test_offsets_repeat_after_as_many_as_the_scale_has_phases(before: int, scale: Fraction) -> None:
    after, _ = output_size(before, before, scale=scale)
    count = after // math.gcd(before, after)
    distance = offsets(before, after)
    assert np.array_equal(distance[count:], distance[:-count])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", Fraction(2)),
        ("2.7", Fraction(27, 10)),
        ("1", Fraction(1)),
        ("3.14159", Fraction(314159, 100000)),
    ],
)
def test_a_scale_is_read_as_an_exact_decimal(text: str, expected: Fraction) -> None:
    assert parse_scale(text) == expected


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "0", "-2", "0.99", "abc", "", "65", "1e9", "1e999999", "1e-400"]
)
def test_an_impossible_scale_is_refused(text: str) -> None:
    with pytest.raises(OptionError):
        parse_scale(text)


def test_output_sizes() -> None:
    assert output_size(320, 180, scale=parse_scale("2.7")) == (864, 486)
    assert output_size(5, 7, scale=parse_scale("1.5")) == (8, 11)  # 7.5 and 10.5 go up
    assert output_size(640, 428, target_height=1080) == ((2 * 640 * 1080 + 428) // (2 * 428), 1080)
    assert output_size(320, 180, size=(321, 999)) == (321, 999)


@pytest.mark.parametrize(
    "options", [{}, {"size": (319, 400)}, {"target_height": 100}, {"size": (640, 360), "target_height": 360}]
)
def test_output_sizes_that_shrink_or_contradict_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        output_size(320, 180, **options)  # type: ignore[arg-type]


@given(st.integers(4, 90), st.integers(0, 300), st.integers(1, 89))
def test_neighbouring_regions_meet(before: int, growth: int, cut: int) -> None:
    cut = min(cut, before - 1)
    sizes = (before, before), (before + growth, before + growth)
    left = output_region((0, 0, cut, before), *sizes)
    right = output_region((cut, 0, before - cut, before), *sizes)
    assert (left.x0, right.x1) == (0, before + growth)
    assert left.x1 == right.x0


def test_a_region_outside_the_picture_is_refused() -> None:
    for region in ((-1, 0, 4, 4), (0, 0, 0, 4), (30, 0, 8, 4), (0, 28, 4, 2)):
        with pytest.raises(OptionError):
            output_region(region, (37, 29), (74, 58))


def test_a_box_of_the_grid_is_that_part_of_the_whole() -> None:
    grid = sampling_grid((37, 29), (101, 64))
    part = sampling_grid((37, 29), (101, 64), Box(13, 7, 90, 50))
    assert np.array_equal(part.rows, grid.rows[7:50])
    assert np.array_equal(part.offset_x, grid.offset_x[..., 13:90])
    assert part.ratio.item() == np.float32(cell_ratio((37, 29), (101, 64)))


def test_a_halo_is_mirrored_beyond_the_border() -> None:
    grid = sampling_grid((10, 10), (20, 20), halo=1)
    whole = sampling_grid((10, 10), (20, 20))
    assert grid.height == 22
    assert grid.offset_y.flatten()[0] == whole.offset_y.flatten()[1]
    assert grid.rows[-1] == whole.rows[-2]
