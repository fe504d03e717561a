"""Sources through GStreamer: a pipeline of the user's own, and Jetson's CSI cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from edge_sr.errors import InputError, MissingError, UnreachableError
from edge_sr.machine.optional import require
from edge_sr.masking import masked
from edge_sr.video.live.address import Address
from edge_sr.video.live.arrival import OPEN_SECONDS, READ_SECONDS, Arrival, Playback

SINK = "videoconvert ! video/x-raw,format=RGB ! appsink name=edge_sr max-buffers=1 drop=true sync=false"
WAIT_SECONDS = 0.2


class GStreamerSource:
    """Frames of ``gst:PIPELINE``, which must end in raw video, or of ``csi://N``."""

    ends = False
    # A pipeline has its own clock.
    playback: Playback | None = None
    sound = None
    sound_head = b""

    def __init__(self, address: Address, stop: threading.Event, rate: Fraction | None = None) -> None:
        self._gst = bindings("a GStreamer source")
        self._stop = stop
        self._shown = address.shown
        self.rate = rate
        self._pipeline = self._launch(pipeline_text(address, rate))
        self._sink = self._pipeline.get_by_name("edge_sr")
        self._start()

    def close(self) -> None:
        self._pipeline.set_state(self._gst.State.NULL)

    def __iter__(self) -> Iterator[Arrival]:
        last = time.monotonic()
        while not self._stop.is_set() and time.monotonic() - last < READ_SECONDS:
            sample = self._sink.emit("try-pull-sample", int(WAIT_SECONDS * 1e9))
            if sample is not None:
                last = time.monotonic()
                yield self._arrival(sample, last)
            elif self._sink.get_property("eos"):
                return

    def _launch(self, text: str) -> Any:
        try:
            return self._gst.parse_launch(f"{text} ! {SINK}")
        except Exception as error:  # GLib's error class exists only once gi is imported
            reason = masked(str(getattr(error, "message", error)))
            raise InputError(
                f"GStreamer does not understand the pipeline: {reason}; try it with gst-launch-1.0"
            ) from error

    def _start(self) -> None:
        self._pipeline.set_state(self._gst.State.PLAYING)
        result, _, _ = self._pipeline.get_state(int(OPEN_SECONDS * 1e9))
        success = (self._gst.StateChangeReturn.SUCCESS, self._gst.StateChangeReturn.NO_PREROLL)
        if result in success:
            return
        reason = self._fault() or f"no picture within {OPEN_SECONDS:.0f} seconds"
        self.close()
        raise UnreachableError(f"{self._shown} gives no picture: {reason}; try it with gst-launch-1.0")

    def _fault(self) -> str:
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        return "" if message is None else masked(message.parse_error()[0].message)

    def _arrival(self, sample: Any, now: float) -> Arrival:
        shape = sample.get_caps().get_structure(0)
        frame = _frame(sample.get_buffer(), shape.get_value("width"), shape.get_value("height"))
        pts = sample.get_buffer().pts
        return Arrival(frame, now, None if pts == self._gst.CLOCK_TIME_NONE else pts / 1e9)


def pipeline_text(address: Address, rate: Fraction | None) -> str:
    """What comes before our own sink."""
    if address.kind == "gst":
        return address.target
    number = address.target.partition("://")[2]
    wanted = f",framerate={rate.numerator}/{rate.denominator}" if rate else ""
    caps = f"video/x-raw(memory:NVMM),format=NV12{wanted}"
    return f"nvarguscamerasrc sensor-id={number} ! {caps} ! nvvidconv ! video/x-raw,format=BGRx"


def bindings(purpose: str) -> Any:
    """GStreamer, started; ``MissingError`` says what ``purpose`` needs."""
    gi = require("gi", purpose)
    try:
        gi.require_version("Gst", "1.0")
    except ValueError as error:
        raise MissingError(f"{purpose} needs its typelib: apt install gir1.2-gstreamer-1.0") from error
    gst = require("gi.repository.Gst", purpose)
    gst.init(None)
    return gst


def _frame(buffer: Any, width: int, height: int) -> Any:
    import av
    import numpy as np

    # GStreamer pads each row to four bytes.
    stride = -(-width * 3 // 4) * 4
    data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)[: stride * height]
    rows = data.reshape(height, stride)[:, : width * 3].reshape(height, width, 3)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(rows), format="rgb24")
