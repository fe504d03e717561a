"""Standard streams that a run outlives: closed, full or with nobody at the other end, they cost their text alone."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from collections.abc import Iterator
from typing import Any

from edge_sr.errors import DiskFullError


class Enduring:
    """A text stream whose failures are kept in ``error`` instead of raised.

    ``waits``: whether to wait for a reader who takes nothing; else what he does not take is lost.
    """

    def __init__(self, stream: Any, *, waits: bool) -> None:
        self._stream, self._waits = stream, waits
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        try:
            if self._waits or _takes(self._stream):
                self._stream.write(text)
        except (OSError, ValueError) as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        try:
            if self._waits or _takes(self._stream):
                self._stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        # Typer would write past this stream, and past what masks secrets, into the bytes of one of ASCII.
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)

    def _give_up(self, error: Exception) -> None:
        """What is still in the stream's buffer would fail again when Python ends, and change the exit code."""
        self.error = self.error or (error if isinstance(error, OSError) else OSError(errno.EBADF, str(error)))
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def _takes(stream: Any) -> bool:
    """Whether a line can be written now; a file always takes it, or fails."""
    try:
        return bool(select.select([], [stream.fileno()], [], 0)[1])
    except (OSError, ValueError):
        return True


@contextlib.contextmanager
def enduring_streams() -> Iterator[None]:
    """``sys.stdout`` and ``sys.stderr`` for a command.

    A report that could not be written raises ``DiskFullError`` at the end, unless its reader has left.
    """
    _occupy_descriptors()
    before = sys.stdout, sys.stderr
    out, talk = Enduring(_ready(sys.stdout), waits=True), Enduring(_ready(sys.stderr), waits=False)
    sys.stdout, sys.stderr = out, talk
    ended: SystemExit | None = None
    try:
        yield
    except SystemExit as error:
        ended = error
    finally:
        out.flush()
        talk.flush()
        sys.stdout, sys.stderr = before
    failed = ended is not None and bool(ended.code)
    if not failed and out.error is not None and out.error.errno not in (errno.EPIPE, errno.EBADF):
        raise DiskFullError(f"the report cannot be written to stdout: {out.error.strerror}; the run is done")
    if ended is not None:
        raise ended


def _ready(stream: Any) -> Any:
    """The stream, able to show any file's name; for a closed one, one that leads nowhere."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    with contextlib.suppress(AttributeError, ValueError):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _occupy_descriptors() -> None:
    """A file that is opened later must not become stdout or stderr, and get what C libraries say there."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
