"""The checking device finds each mistake that it is there to find."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest
from support.cuda.device import FakeBuffer, FakeDriver, FakeHostBuffer
from support.cuda.queue import FakeEvent, FakeStream, Work

from edge_sr.backends.cuda.driver.protocol import Rectangle
from edge_sr.errors import DeviceError, MemoryLimitError


class Bench:
    """A device with one host buffer, one device buffer and two streams."""

    def __init__(self) -> None:
        self.driver = FakeDriver()
        self.inside = ExitStack()
        self.inside.enter_context(self.driver.entered())
        self.host: FakeHostBuffer = self.driver.allocate_host((64,), np.uint8, False)
        self.back: FakeHostBuffer = self.driver.allocate_host((64,), np.uint8, False)
        self.memory: FakeBuffer = self.driver.allocate(64)
        self.one: FakeStream = self.driver.stream()
        self.two: FakeStream = self.driver.stream()

    def upload(self, stream: FakeStream) -> None:
        self.driver.upload(self.host, self.memory.address, stream)

    def download(self, stream: FakeStream) -> None:
        self.driver.download_rows(self.memory.address, self.back, Rectangle(0, 16, 4, 16), stream)


def unordered_streams(bench: Bench) -> None:
    bench.upload(bench.one)
    bench.download(bench.two)


def host_reads_early(bench: Bench) -> None:
    bench.upload(bench.one)
    bench.download(bench.one)
    _ = bench.back.array


def host_writes_while_it_is_copied(bench: Bench) -> None:
    bench.upload(bench.one)
    bench.host.array[:] = 1


def use_after_free(bench: Bench) -> None:
    bench.memory.free()
    bench.upload(bench.one)


def free_while_in_use(bench: Bench) -> None:
    bench.upload(bench.one)
    bench.memory.free()


def free_twice(bench: Bench) -> None:
    bench.memory.free()
    bench.memory.free()


def copy_beyond_the_end(bench: Bench) -> None:
    bench.driver.upload(bench.host, bench.memory.address + 1, bench.one)


def rectangle_beyond_the_end(bench: Bench) -> None:
    bench.driver.download_rows(bench.memory.address, bench.back, Rectangle(32, 16, 4, 16), bench.one)


def leak(bench: Bench) -> None:
    bench.host.free()
    bench.back.free()
    bench.driver.close()


def work_left_over(bench: Bench) -> None:
    bench.upload(bench.one)
    bench.driver.close()


def unknown_stream(bench: Bench) -> None:
    bench.driver.launch(99, Work("kernel", [], [], lambda: None))


def event_that_was_never_recorded(bench: Bench) -> None:
    bench.one.wait(bench.driver.event())


def mark(bench: Bench, stream: FakeStream, after_work: bool = True) -> FakeEvent:
    """An event on the stream, behind some work."""
    if after_work:
        bench.upload(stream)
    event = bench.driver.event()
    event.record(stream)
    return event


def event_used_after_it_was_freed(bench: Bench) -> None:
    event = mark(bench, bench.one)
    event.free()
    bench.two.wait(event)


def event_freed_twice(bench: Bench) -> None:
    event = bench.driver.event()
    event.free()
    event.free()


def event_never_freed(bench: Bench) -> None:
    mark(bench, bench.one)
    bench.one.synchronize()
    for buffer in (bench.host, bench.back, bench.memory):
        buffer.free()
    bench.driver.close()


def time_before_it_has_passed(bench: Bench) -> None:
    start, stop = mark(bench, bench.one), mark(bench, bench.one)
    start.synchronize()
    stop.milliseconds_since(start)


def time_that_runs_backwards(bench: Bench) -> None:
    start, stop = mark(bench, bench.one), mark(bench, bench.one)
    bench.one.synchronize()
    start.milliseconds_since(stop)


def time_of_an_event_that_went_on(bench: Bench) -> None:
    start, stop = mark(bench, bench.one), mark(bench, bench.one)
    bench.one.synchronize()
    bench.upload(bench.one)
    stop.record(bench.one)
    stop.milliseconds_since(start)


def event_recorded_in_a_capture(bench: Bench) -> None:
    bench.driver.begin_capture(bench.one)
    mark(bench, bench.one)


def wait_for_an_event_in_a_capture(bench: Bench) -> None:
    event = mark(bench, bench.two)
    bench.driver.begin_capture(bench.one)
    bench.one.wait(event)


def graph_used_after_it_was_freed(bench: Bench) -> None:
    bench.driver.begin_capture(bench.one)
    graph = bench.driver.end_capture(bench.one)
    graph.free()
    graph.launch(bench.one)


def allocation_in_a_capture(bench: Bench) -> None:
    bench.driver.begin_capture(bench.one)
    bench.driver.allocate(8)


def outside_of_the_context(bench: Bench) -> None:
    bench.inside.close()
    bench.upload(bench.one)


def waiting_in_a_capture(bench: Bench) -> None:
    bench.driver.begin_capture(bench.one)
    bench.one.synchronize()


@pytest.mark.parametrize(
    "mistake, message",
    [
        (unordered_streams, "missing synchronisation"),
        (host_reads_early, "the host"),
        (host_writes_while_it_is_copied, "the host"),
        (use_after_free, "no live buffer"),
        (free_while_in_use, "freed while"),
        (free_twice, "freed twice"),
        (copy_beyond_the_end, "beyond its end"),
        (rectangle_beyond_the_end, "beyond its end"),
        (leak, "leak: 1 buffers"),
        (work_left_over, "pending"),
        (unknown_stream, "never made"),
        (event_that_was_never_recorded, "never recorded"),
        (event_used_after_it_was_freed, "FakeEvent was used after it was freed"),
        (event_freed_twice, "FakeEvent was used after it was freed"),
        (event_never_freed, "leak: 1 of FakeEvent"),
        (time_before_it_has_passed, "has not waited for"),
        (time_of_an_event_that_went_on, "has not waited for"),
        (time_that_runs_backwards, "wrong order"),
        (event_recorded_in_a_capture, "measures nothing"),
        (wait_for_an_event_in_a_capture, "a wait was put into the graph"),
        (graph_used_after_it_was_freed, "FakeGraph was used after it was freed"),
        (allocation_in_a_capture, "captured"),
        (waiting_in_a_capture, "captured"),
        (outside_of_the_context, "no context is current"),
    ],
)
def test_a_mistake_is_named(mistake: Callable[[Bench], None], message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        mistake(Bench())


def test_ordered_work_goes_through_unchanged() -> None:
    bench = Bench()
    bench.host.array[:] = np.arange(64, dtype=np.uint8)
    bench.upload(bench.one)
    passed = bench.driver.event()
    passed.record(bench.one)
    bench.two.wait(passed)
    bench.download(bench.two)
    bench.two.synchronize()
    assert bench.back.array.tolist() == list(range(64))
    for item in (passed, bench.host, bench.back, bench.memory):
        item.free()
    bench.driver.close()


def test_nothing_happens_before_somebody_waits() -> None:
    bench = Bench()
    bench.host.array[:] = 5
    before = bench.memory.data.copy()
    bench.upload(bench.one)
    assert (bench.memory.data == before).all()
    bench.one.synchronize()
    assert (bench.memory.data[:64] == 5).all()


def test_a_captured_graph_runs_when_it_is_launched() -> None:
    bench = Bench()
    bench.host.array[:] = 7
    bench.driver.begin_capture(bench.one)
    bench.upload(bench.one)
    graph = bench.driver.end_capture(bench.one)
    bench.one.synchronize()
    assert not (bench.memory.data[:64] == 7).all()
    graph.launch(bench.one)
    bench.one.synchronize()
    assert (bench.memory.data[:64] == 7).all()
    for item in (graph, bench.host, bench.back, bench.memory):
        item.free()
    bench.driver.close()


def test_a_time_is_that_of_the_work_in_between() -> None:
    bench = Bench()
    start, stop, same = (mark(bench, bench.one, work) for work in (False, True, False))
    bench.one.synchronize()
    assert stop.milliseconds_since(start) > 0
    assert same.milliseconds_since(stop) == 0


def test_a_full_device_says_so() -> None:
    driver = FakeDriver(memory_limit=100)
    with driver.entered(), pytest.raises(MemoryLimitError, match="no room"):
        driver.allocate(101)
