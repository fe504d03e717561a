"""The three stages: order, bounds, errors and stopping, with a network that repeats pixels."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.films import Making, frame_pixels, frame_times, make_film

from edge_sr.errors import ResourceError
from edge_sr.sizes import Box
from edge_sr.upscale.pipeline import WAITING, Flow, Target, run_film
from edge_sr.upscale.relay import Aborted, Relay
from edge_sr.upscaler import PartTimes, Result
from edge_sr.video.encode.codecs import find_codec
from edge_sr.video.encode.encoding import plan_encoding
from edge_sr.video.encode.segment_encoder import EncodeSettings
from edge_sr.video.encode.segments import SegmentWriter
from edge_sr.video.film.film import Film
from edge_sr.video.frames.pixels import FromRgb, PixelLayout
from edge_sr.video.timed import Timed


class Repeating:
    """A network that makes every pixel a block: what comes out tells what went in."""

    takes_yuv = takes_surfaces = False

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def enlarged(self, frame: np.ndarray, size: tuple[int, int], box: Box | None) -> Result:
        self.sizes.append((frame.shape[1], frame.shape[0]))
        rows = np.arange(size[1]) * frame.shape[0] // size[1]
        columns = np.arange(size[0]) * frame.shape[1] // size[0]
        picture = np.ascontiguousarray(frame[rows][:, columns])
        return Result(picture if box is None else picture[box.slices], PartTimes(encoder_ms=1.0))

    def stream(
        self, frames: Iterable[np.ndarray], *, size: tuple[int, int], box: Box | None
    ) -> Iterator[Result]:
        for frame in frames:
            yield self.enlarged(frame, size, box)


class InFlight(Repeating):
    """As a GPU does it: three frames are taken before the first result is given."""

    def stream(
        self, frames: Iterable[np.ndarray], *, size: tuple[int, int], box: Box | None
    ) -> Iterator[Result]:
        under_way: deque[Result] = deque()
        for frame in frames:
            if len(under_way) == 3:
                yield under_way.popleft()
            under_way.append(self.enlarged(frame, size, box))
        yield from under_way


def writer_for(folder: Path, film: Film, size: tuple[int, int]) -> tuple[SegmentWriter, FromRgb]:
    layout = PixelLayout(8, "420")
    codec = find_codec("x264", "mp4")
    encoding = plan_encoding(codec, layout, size, Fraction(25), crf=12, preset="veryfast", threads=1)
    recipe = EncodeSettings(encoding, film.info.time_base, Fraction(1), film.info.colour)
    return SegmentWriter(folder, recipe, 100), FromRgb(film.info.colour, layout)


def run(tmp_path: Path, making: Making, **changes: Any) -> tuple[Flow, SegmentWriter]:
    """Doubles a film made as told."""
    path = make_film(tmp_path / "film.mp4", making)
    segments = tmp_path / "segments"
    segments.mkdir()
    with Film(str(path)) as film:
        size = (2 * film.info.size[0], 2 * film.info.size[1])
        writer, to_yuv = writer_for(segments, film, changes.get("target", Target(size)).written)
        more: dict[str, Any] = {
            "network": Repeating(),
            "writer": writer,
            "target": Target(size),
            "first": 0,
            "stop": threading.Event(),
            "after_frame": lambda flow: None,
            **changes,
        }
        return run_film(film, to_yuv=to_yuv, **more), more["writer"]


@pytest.mark.parametrize("network", [Repeating, InFlight])
def test_every_frame_comes_through_in_order(tmp_path: Path, network: type[Repeating]) -> None:
    flow, writer = run(tmp_path, Making(frames=20), network=network())
    tail = writer.suspend()
    assert tail is not None
    assert (flow.taken, flow.frames, flow.interrupted) == (20, 20, False)
    assert frame_times(tail.path) == [Fraction(index, 25) for index in range(20)]


def test_going_on_skips_what_is_there(tmp_path: Path) -> None:
    flow, writer = run(tmp_path, Making(frames=20), first=15)
    tail = writer.suspend()
    assert tail is not None
    assert flow.frames == 5
    assert (tail.index, tail.first_pts * Fraction(1, 12800)) == (15, Fraction(15, 25))


def test_a_part_of_the_output_is_written_alone(tmp_path: Path) -> None:
    target = Target((128, 96), Box(2, 2, 66, 50))
    assert target.written == (64, 48)
    _, writer = run(tmp_path, Making(frames=3), target=target)
    tail = writer.suspend()
    assert tail is not None
    (tmp_path / "whole").mkdir()
    _, writer = run(tmp_path / "whole", Making(frames=3))
    whole = writer.suspend()
    assert whole is not None
    for part, picture in zip(frame_pixels(tail.path), frame_pixels(whole.path), strict=True):
        luma = part[:48].astype(int), picture[2:50, 2:66]
        assert np.abs(luma[0] - luma[1]).mean() < 4


def test_stopping_ends_between_two_frames_and_keeps_those_made(tmp_path: Path) -> None:
    stop = threading.Event()

    def after(flow: Flow) -> None:
        if flow.taken == 6:
            stop.set()

    flow, writer = run(tmp_path, Making(frames=50), stop=stop, after_frame=after)
    assert flow.interrupted
    assert flow.frames == 6
    tail = writer.suspend()
    assert tail is not None
    assert len(frame_times(tail.path)) == 6


def test_a_stop_after_the_last_frame_is_no_interruption(tmp_path: Path) -> None:
    flow, _ = run(tmp_path, Making(frames=1), stop=threading.Event())
    assert not flow.interrupted


@pytest.mark.parametrize("frames", [1, 2, 3, 8])
def test_what_is_in_flight_at_the_end_lands(tmp_path: Path, frames: int) -> None:
    _, writer = run(tmp_path, Making(frames=frames), network=InFlight())
    tail = writer.suspend()
    assert tail is not None
    by_flight = frame_pixels(tail.path)
    (tmp_path / "again").mkdir()
    _, writer = run(tmp_path / "again", Making(frames=frames))
    tail = writer.suspend()
    assert tail is not None
    one_by_one = frame_pixels(tail.path)
    assert all(np.array_equal(*pair) for pair in zip(by_flight, one_by_one, strict=True))


def test_what_is_in_flight_when_stopped_is_kept(tmp_path: Path) -> None:
    stop, network = threading.Event(), InFlight()

    def after(flow: Flow) -> None:
        if flow.taken == 6:
            stop.set()

    flow, writer = run(tmp_path, Making(frames=50), stop=stop, after_frame=after, network=network)
    assert flow.interrupted
    assert flow.frames == flow.taken == len(network.sizes) == 9
    tail = writer.suspend()
    assert tail is not None
    assert frame_times(tail.path) == [Fraction(index, 25) for index in range(9)]


class Failing(SegmentWriter):
    """A writer whose disk fills up at the third frame."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, frame: Timed) -> None:
        self.written += 1
        if self.written == 3:
            raise ResourceError("full")


def test_an_error_of_the_encoder_ends_all_stages(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(ResourceError, match="full"):
        run(tmp_path, Making(frames=50), writer=Failing())
    assert threading.active_count() == before


def test_an_error_of_the_network_ends_all_stages(tmp_path: Path) -> None:
    class Broken(Repeating):
        def enlarged(self, frame: np.ndarray, size: tuple[int, int], box: Box | None) -> Result:
            raise ResourceError(f"no memory for {frame.shape} at {size}, {box}")

    before = threading.active_count()
    with pytest.raises(ResourceError, match="no memory"):
        run(tmp_path, Making(frames=50), network=Broken())
    assert threading.active_count() == before


def test_frames_that_change_size_go_on(tmp_path: Path) -> None:
    import av

    path = tmp_path / "film.ts"
    with av.open(str(path), "w", format="mpegts") as container:
        for number, size in enumerate([(64, 48), (96, 72), (320, 240)]):
            part = make_film(tmp_path / f"part{number}.ts", Making(size=size, frames=8))
            with av.open(str(part)) as source:
                if number == 0:
                    stream = container.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        packet.pts += number * 8 * 3600
                        packet.dts += number * 8 * 3600
                        container.mux(packet)
    network = Repeating()
    segments = tmp_path / "segments"
    segments.mkdir()
    with Film(str(path)) as film:
        writer, to_yuv = writer_for(segments, film, (128, 96))
        flow = run_film(
            film,
            network,
            writer,
            to_yuv,
            Target((128, 96)),
            first=0,
            stop=threading.Event(),
            after_frame=lambda flow: None,
        )
    assert flow.frames == 24
    # What is larger than the output is brought down to the first frames' size.
    assert network.sizes == [(64, 48)] * 8 + [(96, 72)] * 8 + [(64, 48)] * 8


class Slow(Repeating):
    """A network that takes longer for a frame than decoding and encoding it."""

    def enlarged(self, frame: np.ndarray, size: tuple[int, int], box: Box | None) -> Result:
        threading.Event().wait(0.1)
        return super().enlarged(frame, size, box)


class SlowWriter:
    """An encoder that takes longer than everything else."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def write(self, timed: Timed[Any]) -> None:
        threading.Event().wait(0.1)
        self.numbers.append(timed.index)


def test_what_sets_the_pace_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "edge_sr")
    (tmp_path / "network").mkdir()
    (tmp_path / "encoder").mkdir()
    run(tmp_path / "network", Making(frames=12), network=Slow())
    run(tmp_path / "encoder", Making(frames=12), writer=SlowWriter())
    said = [record.getMessage() for record in caplog.records if "sets the pace" in record.getMessage()]
    assert [line.rpartition("; ")[2] for line in said] == [
        "the network sets the pace",
        "encoding sets the pace",
    ]


def test_a_relay_holds_only_so_many() -> None:
    relay: Relay[int] = Relay(WAITING)
    put: list[int] = []

    def fill() -> None:
        for number in range(20):
            relay.put(number)
            put.append(number)
        relay.close()

    thread = threading.Thread(target=fill)
    thread.start()
    taken = []
    for number in relay:
        taken.append(number)
        assert len(put) <= number + WAITING + 2
    thread.join()
    assert taken == list(range(20))


def test_an_aborted_relay_frees_both_ends() -> None:
    relay: Relay[int] = Relay(1)
    relay.put(1)
    relay.abort()
    with pytest.raises(Aborted):
        relay.put(2)
    with pytest.raises(Aborted):
        next(iter(relay))
