"""GStreamer pipelines as live sources: their rate, their end, and what they say is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction

import pytest

from edge_sr.camera.reader import Reader
from edge_sr.errors import UnreachableError
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.gstreamer import GStreamerSource
from edge_sr.video.live.sources import SourcePlan

pytest.importorskip("gi")

CAPS = "video/x-raw,width=98,height=64,framerate=50/1,pixel-aspect-ratio=4/3"


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def opened(pipeline: str, stop: threading.Event) -> GStreamerSource:
    return GStreamerSource(parse_address(f"gst:{pipeline}"), stop)


def test_a_pipeline_that_is_not_live_gives_all_its_frames_and_ends(stop: threading.Event) -> None:
    source = opened(f"videotestsrc num-buffers=25 ! {CAPS}", stop)
    assert source.rate == Fraction(50)
    found = list(source)
    source.close()
    assert len(found) == 25
    assert found[0].aspect == Fraction(4, 3)
    assert (source.ends, source.fault) == (True, "")
    assert source.playback is not None


@pytest.mark.parametrize(
    ("pipeline", "fault"),
    [
        (f"videotestsrc is-live=true num-buffers=5 ! {CAPS}", "end of stream"),
        (f"videotestsrc is-live=true ! identity error-after=5 ! {CAPS}", "Failed after iterations"),
        (f"videotestsrc ! identity error-after=5 ! {CAPS}", "Failed after iterations"),
    ],
)
def test_a_break_is_no_end_and_says_why(pipeline: str, fault: str, stop: threading.Event) -> None:
    source = opened(pipeline, stop)
    assert list(source)
    source.close()
    assert not source.ends
    assert fault in source.fault


def test_a_pipeline_without_a_picture_says_why(stop: threading.Event) -> None:
    with pytest.raises(UnreachableError, match="not found"):
        opened("filesrc location=/no/such/film ! decodebin", stop)
    with pytest.raises(UnreachableError, match="it ended"):
        opened(f"videotestsrc num-buffers=0 ! {CAPS}", stop)


def test_it_is_played_once_at_its_own_pace(stop: threading.Event) -> None:
    plan = SourcePlan(parse_address(f"gst:videotestsrc num-buffers=50 ! {CAPS}"))
    reader = Reader(plan, stop, pytest.fail)
    reader.start()
    assert reader.frames.take(5) is not None
    reader.restart_counts()
    times = []
    while not reader.frames.ended:
        if (found := reader.frames.take(0.1)) is not None:
            times.append(found[1].captured)
    reader.finish()
    assert (reader.arrived, reader.connections) == (50, 1)
    assert 0.8 < times[-1] - times[0] < 3
