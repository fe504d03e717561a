"""Reading films: every frame that decodes, at its exact time."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import Making, make_film, moving_picture
from support.live_sources import items_of

from edge_sr.errors import InputNotFoundError, MediaError
from edge_sr.video.film.film import Excerpt, Film
from edge_sr.video.frames.orientation import Orientation, from_display_matrix
from edge_sr.video.frames.pixels import ToRgb
from edge_sr.video.live.arrival import Arrival

UNEVEN = (900, 3903, 4000, 9009, 12012, 20000, 20001, 33000)


def seconds(film: Film) -> list[Fraction]:
    return [frame.pts * film.info.time_base for frame in film.frames()]


def test_uneven_times_and_a_late_start_are_exact(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(times=UNEVEN, time_base=Fraction(1, 90000)))
    with Film(str(path)) as film:
        assert seconds(film) == [Fraction(pts, 90000) for pts in UNEVEN]
        assert film.decoded == len(UNEVEN)


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4"])
def test_a_frame_every_ten_seconds_is_a_rate_too(tmp_path: Path, name: str) -> None:
    with av.open(str(tmp_path / name), "w") as file:
        stream = file.add_stream("ffv1" if name.endswith("mkv") else "libx264", rate=Fraction(1, 10))
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for index in range(5):
            picture = av.VideoFrame.from_ndarray(moving_picture((32, 24), index)).reformat(format="yuv420p")
            picture.pts = index
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    with Film(str(tmp_path / name)) as film:
        assert (film.info.rate, film.info.frames) == (Fraction(1, 10), 5)
        last = list(film.frames())[-1]
        assert last.duration * film.info.time_base == 10


def test_what_an_edit_list_cuts_is_not_shown(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(times=range(-5, 10)))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 15
    with Film(str(path)) as film:
        assert seconds(film) == [Fraction(index, 25) for index in range(10)]


def test_an_excerpt_begins_at_zero_and_ends_in_time(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(frames=25))
    with Film(str(path), Excerpt(Fraction(1, 5), Fraction(2, 5))) as film:
        assert seconds(film) == [Fraction(index, 25) for index in range(10)]
        assert film.info.frames == 10


def test_an_excerpt_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4")
    with pytest.raises(MediaError, match="--start"):
        Film(str(path), Excerpt(Fraction(100)))


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation_is_applied(tmp_path: Path, degrees: int) -> None:
    making = Making(rotation=degrees, frames=2, size=(64, 48), pixel_format="yuv444p")
    path = make_film(tmp_path / "film.mp4", making)
    with Film(str(path)) as film:
        first = next(film.frames())
        turned = film.info.orientation.apply(ToRgb(film.info.colour, film.info.layout)(first.frame))
    wanted = np.rot90(moving_picture((64, 48), 0), degrees // 90) / 255
    assert film.info.size == (wanted.shape[1], wanted.shape[0])
    assert np.abs(turned - wanted).mean() < 0.02


def test_mirrors_of_the_display_matrix() -> None:
    def matrix(a: int, b: int, c: int, d: int) -> bytes:
        values = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
        return np.array(values, np.int32).tobytes()

    assert from_display_matrix(matrix(1, 0, 0, 1)) == Orientation()
    assert from_display_matrix(matrix(-1, 0, 0, 1)) == Orientation(mirror_x=True)
    assert from_display_matrix(matrix(1, 0, 0, -1)) == Orientation(mirror_y=True)
    assert from_display_matrix(matrix(0, 1, 1, 0)) == Orientation(transpose=True)


def test_pixel_aspect_turns_with_the_picture(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(aspect=Fraction(4, 3), rotation=90, frames=2))
    with Film(str(path)) as film:
        assert film.info.aspect == Fraction(3, 4)


def test_interlaced_frames_become_progressive_one_for_one(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(interlaced=True, frames=9))
    with Film(str(path)) as film:
        frames = list(film.frames())
        assert any("interlaced" in note for note in film.info.notes)
        assert not any(frame.frame.interlaced_frame for frame in frames)
        assert [frame.pts * film.info.time_base for frame in frames] == [Fraction(i, 25) for i in range(9)]
        assert {frame.duration * film.info.time_base for frame in frames} == {Fraction(1, 25)}


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    empty, words, sound = tmp_path / "empty.mp4", tmp_path / "words.mp4", tmp_path / "sound.mp4"
    empty.touch()
    words.write_text("not a film")
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError, match="empty"):
        Film(str(empty))
    with pytest.raises(MediaError, match="not a film"):
        Film(str(words))
    with pytest.raises(MediaError, match="no picture, only audio"):
        Film(str(sound))
    with pytest.raises(InputNotFoundError):
        Film(str(tmp_path / "nothing.mp4"))


def test_a_film_that_is_cut_short_gives_what_decodes(tmp_path: Path) -> None:
    # Without B-frames files hold frames in the order shown, so a cut anywhere leaves no gap.
    in_order = {"crf": "30", "bf": "0"}
    path = make_film(tmp_path / "film.mkv", Making(frames=150, size=(160, 120), options=in_order))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with Film(str(cut)) as film:
        times = seconds(film)
        assert 10 < len(times) < 100
        assert times == [Fraction(index, 25) for index in range(len(times))]
        assert any("ends" in warning for warning in film.warnings)


def test_damage_in_the_middle_is_counted_and_gone_past(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(frames=60, size=(160, 120), options={"g": "10"}))
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    for place in range(third, third + 2000, 7):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with Film(str(path)) as film:
        times = seconds(film)
        assert film.bad_frames > 0
        assert times[-1] == Fraction(59, 25)
        assert all(earlier < later for earlier, later in itertools.pairwise(times))


def test_a_track_that_turns_up_on_the_way_is_told_as_damage(samples: Path) -> None:
    """None of this film's frames decodes; PyAV ends with an ``IndexError`` over a track that no header names."""
    name = str(samples / "odd" / "late-stream.flv")
    with pytest.raises(MediaError, match="no frame"):
        Film(name)
    assert not any(isinstance(item, Arrival) for item in items_of(name))
