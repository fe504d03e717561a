"""CUDA graphs by cuda-bindings, on the streams of any driver: a stream's handle is a number."""

from __future__ import annotations

from typing import Any

from edge_sr.backends.cuda.driver.protocol import Stream
from edge_sr.backends.cuda.driver.status import call, load_bindings
from edge_sr.errors import MissingError

PURPOSE = "capturing graphs"


def can_capture() -> bool:
    try:
        load_bindings(PURPOSE)
    except MissingError:
        return False
    return True


def begin_capture(handle: int) -> None:
    bindings = load_bindings(PURPOSE)
    mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    call(bindings.cuStreamBeginCapture, bindings.CUstream(handle), mode)


def end_capture(handle: int) -> Any:
    """The executable graph of what was enqueued since ``begin_capture``."""
    bindings = load_bindings(PURPOSE)
    graph = call(bindings.cuStreamEndCapture, bindings.CUstream(handle))
    try:
        return call(bindings.cuGraphInstantiate, graph, 0)
    finally:
        call(bindings.cuGraphDestroy, graph)


class CapturedGraph:
    """An executable graph, whose handle is never freed by itself."""

    def __init__(self, executable: Any) -> None:
        self._executable = executable

    def launch(self, stream: Stream) -> None:
        bindings = load_bindings(PURPOSE)
        call(bindings.cuGraphLaunch, self._executable, bindings.CUstream(stream.handle))

    def free(self) -> None:
        call(load_bindings(PURPOSE).cuGraphExecDestroy, self._executable)
