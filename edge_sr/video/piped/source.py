"""Standard input as a film: read once, in order, and no further than to the caller's stop."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge_sr.errors import MediaError
from edge_sr.video.piped.forms import LONGEST_HEADER, MAGIC, RawForm, Y4mHeader, read_header

if TYPE_CHECKING:
    import av.container

# How long a read waits before it looks whether to stop (seconds), and how much FFmpeg asks for at once.
PATIENCE, BUFFER = 0.2, 1 << 20


class FrameStream:
    """The bytes of a pipe for FFmpeg; it has an end where ``stop`` is set. Follows where frames begin and end."""

    def __init__(self, descriptor: int, stop: threading.Event) -> None:
        self._descriptor, self._stop = descriptor, stop
        self._ahead = b""
        self._frame_bytes = 0
        self._has_marks = False
        # Bytes that the frame under way still lacks; None within the mark before it.
        self._missing: int | None = 0

    def header(self) -> Y4mHeader:
        """What the first line of y4m says; the line stays in the stream."""
        while b"\n" not in self._ahead and len(self._ahead) < LONGEST_HEADER:
            more = self._take(LONGEST_HEADER)
            self._ahead += more
            if not more or not self._ahead.startswith(MAGIC[: len(self._ahead)]):
                break
        if not self._ahead:
            raise MediaError("standard input is empty, expected y4m or raw frames")
        line = self._ahead.partition(b"\n")[0]
        header = read_header(line)
        self.follow(header.frame_bytes, header_bytes=len(line) + 1)
        return header

    def follow(self, frame_bytes: int, *, header_bytes: int = 0) -> None:
        """Has the ends of frames watched; in y4m a header comes first, and a line before each frame."""
        self._frame_bytes, self._missing = frame_bytes, header_bytes
        self._has_marks = header_bytes > 0

    @property
    def ends_within_a_frame(self) -> bool:
        """Whether what has been read so far lacks a part of its last frame."""
        return self._frame_bytes > 0 and self._missing != 0

    def read(self, size: int = -1) -> bytes:
        data, self._ahead = (self._ahead, b"") if self._ahead else (self._take(size), b"")
        if len(data) > size >= 0:
            data, self._ahead = data[:size], data[size:]
        self._watch(data)
        return data

    def _take(self, size: int) -> bytes:
        while not self._stop.is_set():
            if select.select([self._descriptor], [], [], PATIENCE)[0]:
                return os.read(self._descriptor, BUFFER if size < 0 else size)
        return b""

    def _watch(self, data: bytes) -> None:
        place = 0
        while place < len(data) and self._frame_bytes:
            if self._missing == 0:
                self._missing = None if self._has_marks else self._frame_bytes
            if self._missing is None:
                end = data.find(b"\n", place)
                if end < 0:
                    return
                place, self._missing = end + 1, self._frame_bytes
                continue
            step = min(self._missing, len(data) - place)
            place, self._missing = place + step, self._missing - step


@contextlib.contextmanager
def opened_stream(stream: FrameStream, form: RawForm | None) -> Iterator[av.container.InputContainer]:
    """The stream as FFmpeg opens it: raw frames of ``form``, else y4m. Raises ``MediaError``."""
    import av

    name, options = ("yuv4mpegpipe", {}) if form is None else ("rawvideo", form.options)
    try:
        container = av.open(stream, "r", format=name, options=options, buffer_size=BUFFER)
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(f"standard input cannot be read as {name}: {error}") from error
    with container:
        yield container
