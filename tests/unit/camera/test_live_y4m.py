"""Live frames into y4m, whose frames are all shown equally long."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edge_sr.camera.pictures import FrameMaker, sink_colour
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.cadence import Cadence
from edge_sr.video.live.outlets import Outlet
from edge_sr.video.live.sinks import PictureForm, StreamSink

SIZE = (64, 48)
FORM = PictureForm(SIZE, Fraction(25), sink_colour(SIZE))


def test_each_frame_is_shown_until_the_next_ones_time(tmp_path: Path) -> None:
    path = tmp_path / "live.y4m"
    sink = StreamSink(Outlet(parse_address(str(path)), "yuv4mpegpipe", {}, None), FORM)
    make = FrameMaker(SIZE, FORM.colour)
    for number, seconds in enumerate((0.3, 0.34, 0.5, 0.54, 0.66)):
        sink.write(make(np.full((48, 64, 3), 50 + 10 * number, np.uint8), SIZE), seconds)
    sink.close()
    with av.open(str(path)) as film:
        levels = [int(frame.to_ndarray()[0, 0]) for frame in film.decode(video=0)]
    shown = sorted(set(levels))
    assert [shown.index(level) for level in levels] == [0, 1, 1, 1, 1, 2, 3, 3, 3, 4]


class Reader:
    """Takes a frame in ``each`` seconds of a clock of its own."""

    def __init__(self, each: float) -> None:
        self.each, self.now = each, 0.0
        self._cadence = Cadence(Fraction(25), lambda: self.now)

    def take(self, count: int) -> tuple[int, int]:
        """New frames and repetitions, of a camera of 25 frames a second whose newest one is written."""
        repeated = 0
        for _ in range(count):
            captured = int(self.now * 25) / 25
            for _ in self._cadence.missing(captured):
                repeated += 1
                self.now += self.each
            self.now = max(self.now + self.each, captured + 0.04)
        return count, repeated


@pytest.mark.parametrize("pause", [0.04, 0.5, 30.0])
def test_a_player_who_paused_sees_new_frames_again(pause: float) -> None:
    player = Reader(0.04)
    player.take(50)
    player.now += pause
    player.take(3)
    assert player.take(50)[1] < 5


def test_a_quick_reader_who_paused_loses_no_time() -> None:
    recorder = Reader(0.002)
    assert recorder.take(50) == (50, 0)
    recorder.now += 3.0
    assert recorder.take(50)[1] == pytest.approx(75, abs=1)


def test_a_slow_reader_sees_mostly_new_frames() -> None:
    assert Reader(0.045).take(100)[1] < 15
