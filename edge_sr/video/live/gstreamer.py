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
from edge_sr.video.shape import upright_aspect

SINK = "videoconvert ! video/x-raw,format=RGB ! appsink name=edge_sr max-buffers=1 drop=true sync=false"
WAIT_SECONDS = 0.2


class GStreamerSource:
    """Frames of ``gst:PIPELINE``, which must end in raw video, or of ``csi://N``.

    A pipeline that is live is a camera, whose end is a break. One that is not is a film, which plays at its own pace
    and ends. ``rate`` is what a CSI camera is asked for.
    """

    sound: Any = None
    sound_head = b""

    def __init__(self, address: Address, stop: threading.Event, rate: Fraction | None = None) -> None:
        self._gst = bindings("a GStreamer source")
        self._stop = stop
        self._shown = address.shown
        self.fault = ""
        self._pipeline = self._launch(pipeline_text(address, rate))
        self._sink = self._pipeline.get_by_name("edge_sr")
        try:
            self._start()
            self._first = self._awaited()
        except BaseException:
            self.close()
            raise
        self.rate = self._rate()
        self.playback = Playback() if self.ends else None

    def close(self) -> None:
        self._pipeline.set_state(self._gst.State.NULL)

    def __iter__(self) -> Iterator[Arrival]:
        last = time.monotonic()
        sample, self._first = self._first, None
        while not self._stop.is_set():
            if sample is not None:
                yield self._arrival(sample, time.monotonic())
                last = time.monotonic()
            elif self._is_over(time.monotonic() - last):
                return
            sample = self._pull()

    def _pull(self) -> Any:
        return self._sink.emit("try-pull-sample", int(WAIT_SECONDS * 1e9))

    def _is_over(self, silence: float) -> bool:
        """After an error or a silence the source is to be opened again; the end of what is not live is an end."""
        self.fault = self._error()
        if self.fault or silence >= READ_SECONDS:
            self.ends = False
            return True
        over = bool(self._sink.get_property("eos"))
        self.fault = "end of stream" if over and not self.ends else ""
        return over

    def _launch(self, text: str) -> Any:
        try:
            return self._gst.parse_launch(f"{text} ! {SINK}")
        except Exception as error:  # GLib's error class exists only once gi is imported
            reason = masked(str(getattr(error, "message", error)))
            raise InputError(
                f"GStreamer does not understand the pipeline: {reason}; try it with gst-launch-1.0"
            ) from error

    def _start(self) -> None:
        """A pipeline that is not live has its first frame ready when it pauses, and then loses none."""
        change = self._gst.StateChangeReturn
        result = self._changed(self._gst.State.PAUSED)
        self.ends = result == change.SUCCESS
        self._sink.set_property("drop", not self.ends)
        if result in (change.SUCCESS, change.NO_PREROLL):
            result = self._changed(self._gst.State.PLAYING)
        if result not in (change.SUCCESS, change.NO_PREROLL):
            raise self._no_picture()

    def _changed(self, state: Any) -> Any:
        self._pipeline.set_state(state)
        return self._pipeline.get_state(int(OPEN_SECONDS * 1e9))[0]

    def _awaited(self) -> Any:
        """The first frame, which says of what rate all are."""
        until = time.monotonic() + OPEN_SECONDS
        while time.monotonic() < until and not self._stop.is_set() and not self._sink.get_property("eos"):
            if (sample := self._pull()) is not None:
                return sample
            if reason := self._error():
                raise self._no_picture(reason)
        raise self._no_picture()

    def _no_picture(self, reason: str = "") -> UnreachableError:
        waited = (
            "it ended" if self._sink.get_property("eos") else f"nothing within {OPEN_SECONDS:.0f} seconds"
        )
        reason = reason or self._error() or waited
        return UnreachableError(f"{self._shown} gives no picture: {reason}; try it with gst-launch-1.0")

    def _error(self) -> str:
        """What the pipeline says is wrong."""
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        return "" if message is None else masked(message.parse_error()[0].message)

    def _rate(self) -> Fraction | None:
        rate = _fraction(self._first.get_caps().get_structure(0), "framerate")
        return rate if rate and 1 <= rate <= 240 else None

    def _arrival(self, sample: Any, now: float) -> Arrival:
        shape = sample.get_caps().get_structure(0)
        frame = _frame(sample.get_buffer(), shape.get_value("width"), shape.get_value("height"))
        pts = sample.get_buffer().pts
        aspect = upright_aspect(_fraction(shape, "pixel-aspect-ratio"), turned=False)
        return Arrival(frame, now, None if pts == self._gst.CLOCK_TIME_NONE else pts / 1e9, aspect)


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


def _fraction(shape: Any, name: str) -> Fraction | None:
    found, numerator, denominator = shape.get_fraction(name)
    return Fraction(numerator, denominator) if found and numerator and denominator else None


def _frame(buffer: Any, width: int, height: int) -> Any:
    import av
    import numpy as np

    # GStreamer pads each row to four bytes.
    stride = -(-width * 3 // 4) * 4
    data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)[: stride * height]
    rows = data.reshape(height, stride)[:, : width * 3].reshape(height, width, 3)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(rows), format="rgb24")
