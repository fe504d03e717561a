"""Where the pieces of a film begin and end."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.films import Making, make_film

from edge_sr.farm.films.index import Piece, PieceIndex
from edge_sr.video.film.film import Excerpt


@pytest.mark.parametrize("decoding", [False, True])
@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (4, [Piece(0, 0, None, 4)]),
        (9, [Piece(0, 0, 160, 4), Piece(1, 160, 320, 4), Piece(2, 320, None, 1)]),
    ],
)
def test_pieces(tmp_path: Path, frames: int, expected: list[Piece], decoding: bool) -> None:
    film = make_film(tmp_path / "film.mkv", Making(frames=frames))
    assert list(PieceIndex(str(film), Excerpt(), (), 4).pieces(decoding=decoding)) == expected
