"""Repeated work on a device that refuses to capture it: it is done all the same, and the stream is free again."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from support.cuda.device import FakeDriver
from support.cuda.queue import Work

from edge_sr.backends.cuda.driver.protocol import DeviceGraph
from edge_sr.backends.gpu.device import Device
from edge_sr.backends.gpu.graphs import Capture
from edge_sr.errors import DeviceError, MemoryLimitError

ERRORS = [DeviceError("not permitted when capturing"), MemoryLimitError("the GPU is out of memory")]


class Bench:
    """A device, and work on it that counts how often it was done; ``refuses`` fails it while it is captured."""

    def __init__(self, refuses: BaseException | None = None) -> None:
        self.driver, self.done, self.refuses = FakeDriver(), 0, refuses
        self.device = Device.open(self.driver)
        self.capture = Capture(self.device)
        self.graphs: dict[str, DeviceGraph | None] = {}

    def work(self) -> None:
        def count() -> None:
            self.done += 1

        if self.refuses is not None and self.driver.capture is not None:
            raise self.refuses
        self.driver.launch(self.device.compute.handle, Work("count", [], [], count))

    def repeat(self, times: int) -> list[str]:
        """The work so many times; what was said."""
        with self.driver.entered(), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for _ in range(times):
                self.capture.repeat(self.graphs, "work", self.work)
            self.device.settle()
        return [str(one.message) for one in said]

    def close(self) -> None:
        with self.driver.entered():
            for graph in self.graphs.values():
                if graph is not None:
                    graph.free()
        assert self.driver.capture is None
        self.driver.close()


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def test_work_is_captured_the_second_time_and_launched_from_then_on() -> None:
    bench = Bench()
    assert bench.repeat(5) == [] and bench.done == 5
    assert bench.graphs["work"] is not None
    bench.close()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when", ["begin", "work", "end"])
def test_what_cannot_be_captured_is_done_and_said_once(
    error: Exception, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream may refuse to begin, the work to be captured, the graph to be made of it for want of memory."""
    bench = Bench(error if when == "work" else None)
    if when == "begin":
        monkeypatch.setattr(bench.driver, "begin_capture", failing(error))
    if when == "end":
        end = bench.driver.end_capture

        def ended(stream: Any) -> Any:
            end(stream).free()
            raise error

        monkeypatch.setattr(bench.driver, "end_capture", ended)
    (said,) = bench.repeat(5)
    assert said.startswith("no CUDA graphs here") and str(error) in said
    assert bench.done == 5 and bench.graphs == {"work": None}
    bench.close()


def test_who_stops_a_capture_leaves_the_stream_free() -> None:
    bench = Bench(KeyboardInterrupt())
    bench.repeat(1)
    with pytest.raises(KeyboardInterrupt):
        bench.repeat(1)
    assert bench.driver.capture is None
    bench.refuses = None
    bench.repeat(1)
    assert bench.done == 2
    bench.close()


def test_a_device_that_cannot_capture_is_not_asked_to() -> None:
    bench = Bench()
    bench.driver.can_capture = False
    bench.capture = Capture(bench.device)
    assert bench.repeat(4) == [] and bench.done == 4 and bench.graphs == {"work": None}
    bench.close()
