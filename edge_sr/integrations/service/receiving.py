"""A request's body on its way to a file: so large at most, and never slower than a slow line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sr.integrations.service.problems import Refusal
from edge_sr.machine.optional import require

CHUNK = 1 << 16
# Between two pieces of a body, and before its pace counts.
PAUSE_SECONDS, FIRST_SECONDS = 15.0, 15.0
# Bytes a second that every body must come at, on average.
SLOWEST = 64 << 10
FIELD = "file"


async def receive(request: Any, target: Path, most: int) -> int:
    """Writes the picture or film of ``request`` to ``target`` and returns its bytes.

    The body is the file itself, or a form (``multipart/form-data``) with one file in it. Raises ``Refusal``: 400 for
    another form, 408 for a body that is too slow, 413 for one of more than ``most`` bytes, 415 for a packed one.
    """
    _check_headers(request, most)
    pace = _Pace(most)
    if request.content_type == "multipart/form-data":
        await _receive_form(request, target, pace)
    elif request.content_type.startswith("multipart/"):
        raise Refusal(415, "of the multipart types only multipart/form-data is taken")
    else:
        await _copy(request.content.read, target, pace)
    if not pace.received:
        raise Refusal(400, "the body is empty, expected a picture or a film")
    return pace.received


def _check_headers(request: Any, most: int) -> None:
    packing = request.headers.get("Content-Encoding", "identity").lower()
    if packing != "identity":
        raise Refusal(415, f"the body is packed ({packing[:40]}): send it as it is")
    length = request.content_length
    if length is not None and length > most:
        raise _too_large(most)


class _Pace:
    """Counts a body's bytes; raises ``Refusal`` when they are too many or come too slowly."""

    def __init__(self, most: int) -> None:
        self.received = 0
        self._most, self._began = most, time.monotonic()
        self._malformed = require("aiohttp.http_exceptions", "edge-sr serve").HttpProcessingError

    async def next(self, reading: Any) -> Any:
        """What ``reading`` gives, within the pause that is allowed."""
        try:
            return await asyncio.wait_for(reading, PAUSE_SECONDS)
        except asyncio.TimeoutError as error:
            raise Refusal(408, f"nothing came for {PAUSE_SECONDS:.0f} s") from error
        except self._malformed as error:
            raise Refusal(400, "the body is not framed as HTTP asks for") from error

    def count(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if self.received > self._most:
            raise _too_large(self._most)
        late = time.monotonic() - self._began - FIRST_SECONDS
        if late > 0 and self.received < late * SLOWEST:
            raise Refusal(408, f"the body comes at less than {SLOWEST >> 10} KiB/s")


async def _copy(read: Callable[[int], Any], target: Path, pace: _Pace) -> None:
    """``read`` gives up to so many bytes, none at the end."""
    with target.open("wb") as file:
        while chunk := await pace.next(read(CHUNK)):
            pace.count(chunk)
            file.write(chunk)


async def _receive_form(request: Any, target: Path, pace: _Pace) -> None:
    try:
        await _first_file(await request.multipart(), target, pace)
    except (ValueError, AssertionError, RuntimeError) as error:
        # aiohttp's reader has no error of its own for a form that is none.
        raise Refusal(
            400, "the form cannot be read: expected multipart/form-data with one file in it"
        ) from error


async def _first_file(form: Any, target: Path, pace: _Pace) -> None:
    found = False
    while (part := await pace.next(form.next())) is not None:
        if not hasattr(part, "read_chunk"):
            raise Refusal(400, "the form holds a form: expected one file")
        if part.filename is None and part.name != FIELD:
            raise Refusal(
                400, f"the form holds the field {(part.name or '')[:80]!r}: options go into the query"
            )
        if found:
            raise Refusal(400, "the form holds more than one file: send one at a time")
        found = True
        await _copy(part.read_chunk, target, pace)
    if not found:
        raise Refusal(400, f"the form holds no file: expected one called {FIELD}")


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"the body has more than {most} bytes, the most that is taken")
