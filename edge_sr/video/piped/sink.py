"""Standard output as the place for frames: nothing else gets there while a run writes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edge_sr.errors import OptionError, ResourceError
from edge_sr.files.atomic import writing
from edge_sr.video.frames.planes import codes_type, read_plane
from edge_sr.video.timed import Timed

STANDARD_OUTPUT = "standard output"
# What stands before each frame of y4m.
MARK = b"FRAME\n"


class ReaderLeft(Exception):
    """Whoever read the frames has closed the pipe: it has all it wants."""


class FrameSink:
    """Writes frames one after another, each as ``to_bytes`` gives it; with a ``header`` as y4m. ``frames`` counts."""

    def __init__(
        self, write: Callable[[Any], None], to_bytes: Callable[[Any], list[Any]], header: bytes = b""
    ) -> None:
        self._write, self._to_bytes, self._header = write, to_bytes, header
        self._mark = MARK if header else b""
        self.frames = 0

    def write(self, timed: Timed[Any]) -> None:
        """Raises ``ReaderLeft``, or ``DiskFullError`` where output goes to a file that finds no room."""
        before = self._mark if self.frames else self._header + self._mark
        try:
            with writing(STANDARD_OUTPUT):
                for part in (before, *self._to_bytes(timed.frame)):
                    self._write(part)
        except ResourceError as error:
            if isinstance(error.__cause__, BrokenPipeError):
                raise ReaderLeft from error
            raise
        self.frames += 1


@contextlib.contextmanager
def standard_output() -> Iterator[Callable[[Any], None]]:
    """Writes to standard output; what others print there meanwhile goes to standard error.

    Raises ``OptionError`` where it is a terminal.
    """
    if os.isatty(1):
        raise OptionError(
            "-o - writes frames to standard output: pipe it into a program, or into a file with >"
        )
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        yield lambda part: _write_all(own, part)
    finally:
        sys.stdout.flush()
        os.dup2(own, 1)
        os.close(own)


def _write_all(descriptor: int, part: Any) -> None:
    view = memoryview(part).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def planes_of(frame: Any, count: int) -> list[Any]:
    """The first ``count`` planes of a planar frame, without their padding."""
    dtype = codes_type(frame.format.components[0].bits)
    return [np.ascontiguousarray(read_plane(plane, dtype, plane.width)) for plane in frame.planes[:count]]


def packed_rgb(pixel_format: str) -> Callable[[Any], list[Any]]:
    """RGB arrays, uint8 or float32 in [0, 1], as packed pixels of one of ``RGB_FORMATS``."""
    top, dtype = (65535, "<u2") if pixel_format == "rgb48le" else (255, "u1")

    def pack(picture: Any) -> list[Any]:
        if picture.dtype == np.uint8:
            codes = picture if top == 255 else picture.astype(dtype) * 257
        else:
            codes = np.clip(np.floor(picture * np.float32(top) + 0.5), 0, top).astype(dtype)
        return [np.ascontiguousarray(codes[..., ::-1] if pixel_format == "bgr24" else codes)]

    return pack
