"""Who may use an ``Upscaler`` and when: one thread at a time, never after its end, types that fit."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edge_sr.bundle import Bundle
from edge_sr.errors import EdgeSRError, InterruptedRun, LifetimeError, OptionError
from edge_sr.upscaler import Upscaler


@pytest.fixture
def up(nano: Bundle) -> Iterator[Upscaler]:
    with Upscaler(nano, backend="onnxruntime", precision="fp32", threads=2) as upscaler:
        yield upscaler


def test_a_closed_one_says_so_and_stays_closed(up: Upscaler, picture: np.ndarray) -> None:
    encoded = up.encode(picture)
    up.close()
    up.close()
    uses: list[Callable[[], Any]] = [
        lambda: up(picture, scale=2),
        lambda: up.decode(encoded, scale=2),
        lambda: up.encode(picture),
        lambda: next(up.stream([picture], size=(74, 58))),
    ]
    for use in uses:
        with pytest.raises(LifetimeError, match="was closed: open another"):
            use()
    assert (up.backend, up.precision, up.model) == ("onnxruntime", "fp32", "diinn-nano")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_none_is_copied_or_sent_to_another_process(
    up: Upscaler, picture: np.ndarray, copied: Callable[[Any], Any]
) -> None:
    with pytest.raises(LifetimeError, match="cannot be copied or pickled: open another where"):
        copied(up)
    assert up(picture, scale=1).shape == picture.shape


class Waiting:
    """Frames for a stream, the second of which comes when it is let go."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture, self.asked, self.go = picture, threading.Event(), threading.Event()

    def __iter__(self) -> Iterator[np.ndarray]:
        yield self.picture
        self.asked.set()
        assert self.go.wait(30)
        yield self.picture


@pytest.fixture
def busy(up: Upscaler, picture: np.ndarray) -> Iterator[Waiting]:
    """While a thread is in the middle of ``up``'s work."""
    frames, results = Waiting(picture), list[Any]()
    thread = threading.Thread(target=lambda: results.extend(up.stream(frames, size=(74, 58))))
    thread.start()
    assert frames.asked.wait(30)
    yield frames
    frames.go.set()
    thread.join()
    assert len(results) >= 1


@pytest.mark.usefixtures("busy")
def test_another_thread_is_told_to_open_its_own(up: Upscaler, picture: np.ndarray) -> None:
    with pytest.raises(LifetimeError, match="for another thread: open one for each thread"):
        up(picture, scale=2)


def test_what_feeds_a_stream_is_told_that_it_cannot_use_it(up: Upscaler, picture: np.ndarray) -> None:
    def fed(use: Callable[[], Any]) -> Iterator[np.ndarray]:
        yield picture
        use()

    uses: list[Callable[[], Any]] = [
        lambda: up(picture, scale=2),
        lambda: next(up.stream([picture], size=(74, 58))),
        up.close,
    ]
    for use in uses:
        with pytest.raises(LifetimeError, match=r"waits for this very code.*open another"):
            list(up.stream(fed(use), size=(74, 58)))
    assert up(picture, scale=2).shape == (58, 74, 3)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_closing_waits_for_what_runs(up: Upscaler, busy: Waiting) -> None:
    closing = threading.Thread(target=up.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    busy.go.set()
    closing.join(30)
    assert not closing.is_alive()


def test_closing_waits_for_whom_closes_already(
    up: Upscaler, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that it was within this thread's own work, the last there was."""
    up(picture, scale=2)
    begun, go = threading.Event(), threading.Event()
    (runner,) = up._runners.values()
    close = runner.close

    def slow() -> None:
        begun.set()
        go.wait(30)
        close()

    monkeypatch.setattr(runner, "close", slow)
    closing = threading.Thread(target=up.close)
    closing.start()
    begun.wait(30)
    threading.Timer(0.1, go.set).start()
    up.close()
    assert go.is_set()
    closing.join(30)


def test_threads_may_take_turns(up: Upscaler, picture: np.ndarray) -> None:
    wanted, found = up(picture, scale=2), list[np.ndarray]()
    for _ in range(3):
        thread = threading.Thread(target=lambda: found.append(up(picture, scale=2)))
        thread.start()
        thread.join()
    assert len(found) == 3 and all(np.array_equal(one, wanted) for one in found)


def test_nothing_else_is_computed_while_a_stream_is_under_way(up: Upscaler, picture: np.ndarray) -> None:
    stream = up.stream([picture] * 3, size=(74, 58))
    next(stream)
    with pytest.raises(LifetimeError, match="finish it or close it first"):
        up(picture, scale=2)
    with pytest.raises(LifetimeError, match="finish it or close it first"):
        next(up.stream([picture], size=(74, 58)))
    stream.close()
    assert up(picture, scale=2).shape == (58, 74, 3)


def test_a_stream_that_outlives_the_upscaler_says_so(nano: Bundle, picture: np.ndarray) -> None:
    with Upscaler(nano, backend="onnxruntime", precision="fp32", threads=1) as up:
        stream = up.stream([picture] * 3, size=(74, 58))
        next(stream)
    with pytest.raises(LifetimeError, match="was closed"):
        next(stream)
    stream.close()


def _use_in_child(up: Upscaler, picture: np.ndarray, told: Any) -> None:
    try:
        up(picture, scale=2)
    except LifetimeError as error:
        told.put(str(error))
    up.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_is_told_to_open_its_own_and_can_close(up: Upscaler, picture: np.ndarray) -> None:
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    child = context.Process(target=_use_in_child, args=(up, picture, told))
    child.start()
    assert "before the process forked" in told.get(timeout=30)
    child.join(30)
    assert child.exitcode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("backend", ["native", "onnxruntime"])
def test_a_child_that_was_forked_during_a_call_can_close(
    nano: Bundle, picture: np.ndarray, backend: str
) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def frames() -> Iterator[np.ndarray]:
        yield picture
        at_work.set()
        go_on.wait()

    with Upscaler(nano, backend=backend, precision="fp32", threads=2) as up:
        stream = up.stream(frames(), size=(74, 58))
        thread = threading.Thread(target=lambda: list(stream))
        thread.start()
        at_work.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                up.close()
                os._exit(0)
            finally:
                os._exit(1)
        go_on.set()
        thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


FORKING = """
import gc, os, signal, sys
import numpy as np
from edge_sr import Upscaler
up = Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", threads=2)
up(np.zeros((16, 16, 3), np.uint8), scale=2)
child = os.fork()
if child == 0:
    signal.alarm(20)
    {}
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("end", ["sys.exit(0)", "del up; gc.collect(); os._exit(0)"])
def test_a_forked_child_that_ends_or_lets_the_upscaler_go_does_not_hang(end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING.format(end)], timeout=60, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"size": "74x58"},
        {"size": (74.5, 58)},
        {"size": (74, 58, 3)},
        {"size": (True, 58)},
        {"scale": [2]},
        {"scale": "two"},
        {"height": 58.5},
        {"height": "58"},
        {"scale": 2, "region": (0, 0, 8)},
        {"scale": 2, "region": "0,0,8,8"},
        {"scale": 2, "region": (0, 0, 8.0, 8)},
    ],
    ids=str,
)
def test_wrong_types_at_the_door_are_option_errors(
    up: Upscaler, picture: np.ndarray, options: dict[str, Any]
) -> None:
    with pytest.raises(OptionError):
        up(picture, **options)


def test_numpys_integers_are_integers(up: Upscaler, picture: np.ndarray) -> None:
    size: Any = tuple(np.array([74, 58]))
    assert up(picture, size=size).shape == (58, 74, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"threads": 0},
        {"threads": 100_000},
        {"threads": "2"},
        {"threads": 1.5},
        {"backend": None},
        {"precision": 8},
    ],
    ids=str,
)
def test_wrong_options_of_an_upscaler(nano: Bundle, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Upscaler(nano, **options)
    with pytest.raises(EdgeSRError):
        Upscaler(3.5)  # type: ignore[arg-type]


def test_a_frame_in_blocks_is_given_up_between_two_and_is_else_the_same(nano: Bundle) -> None:
    frame = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    stop = threading.Event()
    with Upscaler(nano, backend="onnxruntime", precision="fp32", threads=1, block_bytes=4 << 20) as cut:
        assert np.array_equal(cut.run(frame, scale=2, stop=stop).frame, cut(frame, scale=2))
        stop.set()
        with pytest.raises(InterruptedRun):
            cut.run(frame, scale=2, stop=stop)
        assert cut(frame, scale=1).shape == frame.shape
