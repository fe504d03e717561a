"""The thread that feeds a live sink: when it sends the last frame again."""

from __future__ import annotations

import contextlib
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from edge_sr.camera.pacing.drop_oldest import Newest
from edge_sr.camera.pictures import sink_colour
from edge_sr.camera.writer import SHORTEST_GAP, Finished, SinkPlan, Writer
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.outlets import plan_outlet
from edge_sr.video.live.sinks import PictureForm

SIZE = (64, 48)


def test_a_slow_network_is_no_gap_of_the_source(tmp_path: Path) -> None:
    outlet = plan_outlet(parse_address(str(tmp_path / "out.mkv")), None, overwrite=False)
    plan = SinkPlan(outlet, PictureForm(SIZE, Fraction(25), sink_colour(SIZE)), None)
    writer = Writer(plan, Newest(), print)
    with contextlib.closing(writer.queue):
        writer.start(time.monotonic())
        writer.expecting = True
        writer.queue.put(Finished(np.zeros((48, 64, 3), np.uint8), SIZE, None, time.monotonic(), 0.0, 1))
        time.sleep(2.2 * SHORTEST_GAP)
        assert (writer.written, writer.repeated) == (1, 0)
        writer.expecting = False
        until = time.monotonic() + 20
        while not writer.repeated and time.monotonic() < until:
            time.sleep(0.02)
    writer.finish()
    assert writer.repeated
