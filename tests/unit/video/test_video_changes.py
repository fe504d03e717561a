"""Films that change on their way, as a broadcast does from one programme to the next: each part is shown as it says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.films import Making, make_film, moving_picture

from edge_sr.video.film.film import Film
from edge_sr.video.film.upright import UprightReader
from edge_sr.video.frames.pixels import FromRgb, PixelLayout
from edge_sr.video.hr_references import film_references

EACH = 12
SIZE = (72, 48)


def joined(folder: Path, *parts: Making) -> Path:
    """One stream of them all, one after another."""
    made = [make_film(folder / f"{number}.ts", part) for number, part in enumerate(parts)]
    whole = folder / "whole.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in made))
    return whole


def pictures(path: Path, threads: int = 1, begin: int = 0) -> list[Any]:
    with Film(str(path), threads=threads) as film:
        read = UprightReader(film.info, None)
        if begin:
            times = [timed.pts for timed in film.frames()]
            film.skip_to(begin, times[begin])
        return [np.asarray(read(timed.frame)) for timed in film.frames()]


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize(
    "changes", [{}, {"interlaced": True}, {"options": {"bf": "3"}}, {"codec": "mpeg2video"}]
)
def test_a_part_of_wider_pixels_keeps_its_shape(
    tmp_path: Path, changes: dict[str, Any], threads: int
) -> None:
    """As many pixels, but 4:3 and then 16:9, and 4:3 again."""
    narrow, wide = (
        Making(size=SIZE, frames=EACH, aspect=aspect, **changes) for aspect in (Fraction(1), Fraction(4, 3))
    )
    film = joined(tmp_path, narrow, wide, narrow)
    shown = pictures(film, threads)
    assert len(shown) == 3 * EACH
    for number, picture in enumerate(shown):
        assert picture.shape == (*SIZE[::-1], 3)
        has_bars = picture[:5].max() < 8 and picture[-5:].max() < 8
        assert has_bars == (EACH <= number < 2 * EACH), number
        assert picture[8:-8].max() > 200
    late = pictures(film, threads, begin=EACH + 4)
    assert all(np.array_equal(one, other) for one, other in zip(late, shown[EACH + 4 :], strict=True))


def test_pixels_of_half_the_number_twice_as_wide_are_no_other_shape(tmp_path: Path) -> None:
    film = joined(
        tmp_path,
        Making(size=SIZE, frames=EACH),
        Making(size=(SIZE[0] // 2, SIZE[1]), frames=EACH, aspect=Fraction(2)),
    )
    last = pictures(film)[-1]
    assert last.shape == (*SIZE[::-1], 3)
    assert last[:, :4].max() > 60 and last[:4].max() > 60


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("second", [(1, 2, 1, 1), (6, 1, 6, 6), (9, 1, 9, 14)])
def test_a_part_of_another_matrix_or_range_keeps_its_colours(
    tmp_path: Path, second: tuple[int, int, int, int], pixels: str
) -> None:
    def flat(colours: tuple[int, int, int, int]) -> Making:
        return Making(size=SIZE, frames=EACH, colours=colours, pixel_format=pixels, options={"crf": "8"})

    both = pictures(joined(tmp_path, flat((1, 1, 1, 1)), flat(second)))
    alone = pictures(tmp_path / "1.ts")
    assert both[-1].dtype == alone[-1].dtype
    top = 255 if alone[-1].dtype == np.uint8 else 1
    assert np.abs(both[-1].astype(float) - alone[-1].astype(float)).max() / top < 0.01
    wanted = moving_picture(SIZE, 0) / 255
    assert np.abs(both[0] / top - wanted).mean() < 0.05


def test_a_part_of_other_colours_does_not_go_to_a_gpu_as_it_is(tmp_path: Path) -> None:
    from edge_sr.video.film.upright import yuv_colours
    from edge_sr.yuv import YuvFrame

    path = joined(
        tmp_path, Making(size=SIZE, frames=EACH), Making(size=SIZE, frames=EACH, colours=(6, 1, 6, 6))
    )
    with Film(str(path)) as film:
        colours = yuv_colours(film.info, FromRgb(film.info.colour, PixelLayout(8, "420")))
        read = UprightReader(film.info, None, colours)
        kinds = [isinstance(read(timed.frame), YuvFrame) for timed in film.frames()]
    assert kinds == [True] * EACH + [False] * EACH


@pytest.mark.parametrize(
    "second",
    [
        Making(size=SIZE, frames=EACH, colours=(6, 1, 6, 6)),
        Making(size=SIZE, frames=EACH, aspect=Fraction(4, 3)),
        Making(size=(SIZE[0] * 2, SIZE[1] * 2), frames=EACH),
        Making(size=(48, 72), frames=EACH),
    ],
    ids=["matrix", "aspect", "size", "shape"],
)
def test_references_of_a_later_part_are_as_it_stores_them(tmp_path: Path, second: Making) -> None:
    film = joined(tmp_path, Making(size=SIZE, frames=EACH), second)
    both = [reference.pixels for reference in film_references(film, lambda number: True)]
    alone = [reference.pixels for reference in film_references(tmp_path / "1.ts", lambda number: True)]
    assert all(np.array_equal(one, other) for one, other in zip(both[EACH:], alone, strict=True))
