"""Inputs that can be read only once, a FIFO or ``/dev/stdin``: kept in a file while they are worked on."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edge_sr.errors import InterruptedRun, MediaError, OptionError
from edge_sr.files.atomic import kept_beside, writing
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request

CHUNK = 1 << 20


def is_pipe(name: str) -> bool:
    """Whether the name is that of a FIFO or a device that is read like one."""
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def kept_in_file(request: Request, controls: Controls) -> Iterator[Request]:
    """The request with a file beside the output in place of its pipe; the file goes at the end.

    Raises ``OptionError`` without an output name, ``MediaError`` for a pipe that is empty or cannot be read,
    ``DiskFullError`` when it does not fit.
    """
    if request.output is None:
        raise OptionError(f"{request.input} is a pipe: name the output with -o")
    with kept_beside(request.output, Path(request.input).suffix) as draft:
        _copy(request.input, draft, controls)
        if not draft.stat().st_size:
            raise MediaError(f"{request.input} is empty, expected a film or a picture")
        # The same content is the same input, whenever it was sent.
        os.utime(draft, ns=(0, 0))
        yield dataclasses.replace(request, input=str(draft))


def _copy(source: str, draft: Path, controls: Controls) -> None:
    controls.watcher.say(f"reading {source} to its end")
    with writing(str(draft)), draft.open("wb") as file:
        for chunk in _chunks(source):
            if controls.stop.is_set():
                raise InterruptedRun("stopped while reading the input: nothing was made yet")
            file.write(chunk)


def _chunks(source: str) -> Iterator[bytes]:
    try:
        with open(source, "rb", buffering=0) as pipe:
            while chunk := pipe.read(CHUNK):
                yield chunk
    except OSError as error:
        raise MediaError(f"{source} cannot be read: {error.strerror or error}") from error
