"""``POST /upscale``: an upload comes in, waits for its turn, and goes out larger; a film as it is made."""

from __future__ import annotations

import asyncio
import functools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from edge_sr.integrations.service.asked import parse_query
from edge_sr.integrations.service.metrics import Metrics
from edge_sr.integrations.service.problems import Refusal, without_places
from edge_sr.integrations.service.receiving import receive
from edge_sr.integrations.service.sending import Channel, send, send_file
from edge_sr.integrations.service.settings import ServiceLimits
from edge_sr.integrations.service.work.admission import Admission, Kind
from edge_sr.integrations.service.work.jobs import TYPES, Answer, UploadJob, Workshop, recognise
from edge_sr.machine.optional import require
from edge_sr.sizes import size_text
from edge_sr.web.complaints import Complaints

Found = TypeVar("Found")
LONGEST_HEADER = 500
# For work that was told to end, when the service itself does.
LAST_SECONDS = 10.0


class Upscaling:
    """The route's handler. Uploads and results lie in ``folder``, each job's in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        workshop: Workshop,
        limits: ServiceLimits,
        admission: Admission,
        metrics: Metrics,
        complaints: Complaints,
    ) -> None:
        self._web: Any = require("aiohttp.web", "edge-sr serve")
        self._folder, self._workshop, self._admission = folder, workshop, admission
        self._metrics, self._limits, self._complaints = metrics, limits, complaints
        self._loop = asyncio.get_running_loop()
        # Two more than work: they look at what has been uploaded meanwhile.
        self._pool = ThreadPoolExecutor(limits.at_once + 2, thread_name_prefix="work")
        self._jobs: set[UploadJob] = set()

    async def in_thread(self, work: Callable[[], Found]) -> Found:
        return await self._loop.run_in_executor(self._pool, work)

    async def end(self, say: Callable[[str], None]) -> None:
        """Waits for what is under way, for so long as it is given, then ends it."""
        if self._jobs:
            say(f"{len(self._jobs)} under way have {self._limits.grace:g} s to end")
        await self._emptied(self._limits.grace)
        for job in self._jobs:
            job.stop.set()
        await self._emptied(LAST_SECONDS)

    def close(self) -> None:
        self._pool.shutdown(wait=False)

    async def _emptied(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._admission.inside and time.monotonic() < until:
            await asyncio.sleep(0.05)

    async def answer(self, request: Any) -> Any:
        asked = parse_query(request.query.items())
        self._workshop.check_model(asked.model)
        with (
            self._admission.place(),
            self._job(UploadJob(Path(tempfile.mkdtemp(dir=self._folder)), asked)) as job,
        ):
            self._metrics.received.inc(await receive(request, job.upload, self._limits.body_bytes))
            if await self.in_thread(functools.partial(recognise, job)) == "picture":
                return await self._answer_picture(request, job)
            return await self._answer_film(request, job)

    @contextmanager
    def _job(self, job: UploadJob) -> Iterator[UploadJob]:
        """The job while it lasts; its folder goes with it."""
        self._jobs.add(job)
        try:
            yield job
        finally:
            self._jobs.discard(job)
            for path in job.folder.iterdir():
                path.unlink(missing_ok=True)
            job.folder.rmdir()

    async def _answer_picture(self, request: Any, job: UploadJob) -> Any:
        work = functools.partial(self._workshop.picture, job)
        path, answer = await self._worked("picture", job, work, self._limits.picture)
        self._metrics.frames.labels("picture").inc()
        response = self._response(answer)
        response.content_length = path.stat().st_size
        await response.prepare(request)
        self._metrics.sent.inc(await send_file(response, path))
        await response.write_eof()
        return response

    async def _answer_film(self, request: Any, job: UploadJob) -> Any:
        channel, begun = Channel(), self._loop.create_future()

        def begin(answer: Answer) -> None:
            self._loop.call_soon_threadsafe(begun.set_result, answer)

        making = asyncio.ensure_future(self._made(job, channel, begin))
        response: Any = None
        fault: Exception | None = None
        try:
            async for piece in channel.pieces():
                if response is None:
                    response = self._response(begun.result())
                    await response.prepare(request)
                await send(response, piece)
                self._metrics.sent.inc(len(piece))
            self._metrics.frames.labels("film").inc((await making).frames)
            await response.write_eof()
        except ConnectionResetError:
            _drop(request)
            raise
        except Exception as error:
            if response is None:
                raise
            fault = error
        finally:
            channel.close()
            making.cancel()
            await asyncio.wait([making])
        if fault is not None:
            # Last of all: it cancels what still waits. The body stays without an end, which tells the client.
            _drop(request)
            self._complaints.tell("a film broke off", fault)
        return response

    async def _made(self, job: UploadJob, channel: Channel, begin: Callable[[Answer], None]) -> Any:
        try:
            work = functools.partial(self._workshop.film, job, channel, begin)
            return await self._worked("film", job, work, self._limits.film)
        finally:
            await channel.end()

    async def _worked(self, kind: Kind, job: UploadJob, work: Callable[[], Found], seconds: float) -> Found:
        """What ``work`` gives, in its turn; when it takes too long, or nobody waits any more, it is ended."""
        async with self._admission.turn(kind):
            with self._admission.work(), self._metrics.seconds.labels(kind).time():
                working = self._loop.run_in_executor(self._pool, work)
                in_time = await _ended(working, seconds, job.stop)
        if not in_time:
            raise Refusal(504, f"the work took more than {seconds:g} s, the most that is given to a {kind}")
        return working.result()

    def _response(self, answer: Answer) -> Any:
        size = size_text(answer.size)
        headers = {
            **answer.made_by,
            "Edge-SR-Size": size,
            "Content-Disposition": f'inline; filename="upscaled-{size}{answer.suffix}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        for name, texts in (("Edge-SR-Dropped", answer.dropped), ("Edge-SR-Warning", answer.warnings)):
            if texts:
                headers[name] = _header_text(without_places("; ".join(texts), self._folder))
        response = self._web.StreamResponse(headers=headers)
        response.content_type = TYPES[answer.suffix]
        return response


def _drop(request: Any) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _ended(working: asyncio.Future[Any], seconds: float, stop: threading.Event) -> bool:
    """Whether the work ended in time; what did not, or lost its client, is told to stop and waited for."""
    try:
        await asyncio.wait([working], timeout=seconds)
        return working.done()
    finally:
        if not working.done():
            stop.set()
            await asyncio.wait([working])
            working.exception()


def _header_text(text: str) -> str:
    printable = text.encode("ascii", "replace").decode()
    return "".join(letter if " " <= letter <= "~" else "?" for letter in printable)[:LONGEST_HEADER]
