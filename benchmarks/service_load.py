"""Load on `edge-sr serve`: many clients at once, every answer compared with what `upscale` writes for that picture.

    python benchmarks/service_load.py [--clients 64] [--pictures 1000] [--backend onnxruntime] [--precision fp32]

Starts a service of its own with the defaults for queue and turns. Pictures are noise over a gradient, each another
one, in several sizes, formats, scales and networks. A client that is sent away with 429 waits as long as it is told
and comes again. Ends with 1 when an answer is not, byte for byte, what `upscale` gives.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import io
import re
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from statistics import median

import aiohttp
import numpy as np
from PIL import Image

from edge_sr.machine.description import available_cores, describe
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.networks import Networks
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale

SIZES = ((48, 32), (96, 54), (64, 64), (128, 72))
FORMATS = (("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"))
SCALES = ("2", "1.5", "2.7")
MODELS = ("diinn-nano", "diinn-edge")


@dataclasses.dataclass(frozen=True)
class Task:
    """One picture and what is asked of it."""

    number: int
    body: bytes
    suffix: str
    scale: str
    model: str


@dataclasses.dataclass
class Tally:
    """What the clients saw; ``seconds`` from a picture's first sending to the end of its answer."""

    seconds: list[float] = dataclasses.field(default_factory=list)
    answers: dict[int, bytes] = dataclasses.field(default_factory=dict)
    sent_away: int = 0
    resident: list[tuple[int, float]] = dataclasses.field(default_factory=list)


def task(number: int) -> Task:
    """Task ``number``, always the same one."""
    width, height = SIZES[number % len(SIZES)]
    noise = np.random.default_rng(number).integers(0, 60, (height, width, 3))
    ground = np.linspace(0, 190, width)[None, :, None]
    kind, suffix = FORMATS[number // 4 % len(FORMATS)]
    buffer = io.BytesIO()
    Image.fromarray((ground + noise).astype(np.uint8)).save(buffer, kind)
    return Task(
        number, buffer.getvalue(), suffix, SCALES[number // 12 % 3], MODELS[number // 36 % len(MODELS)]
    )


def resident_mb(process: int) -> float:
    """Resident memory of a process, in MB of 10^6 bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


async def client(session: aiohttp.ClientSession, waiting: list[Task], tally: Tally, process: int) -> None:
    """Takes one task after another until none is left."""
    while waiting:
        one = waiting.pop()
        began = time.perf_counter()
        tally.answers[one.number] = await answer(session, one, tally)
        tally.seconds.append(time.perf_counter() - began)
        if len(tally.seconds) % 100 == 0:
            tally.resident.append((len(tally.seconds), resident_mb(process)))


async def answer(session: aiohttp.ClientSession, one: Task, tally: Tally) -> bytes:
    query = {"scale": one.scale, "model": one.model}
    while True:
        async with session.post("/upscale", params=query, data=one.body) as found:
            body = await found.read()
            if found.status == 200:
                return body
            if found.status != 429:
                raise SystemExit(f"picture {one.number}: {found.status} {body.decode()}")
            tally.sent_away += 1
            await asyncio.sleep(float(found.headers["Retry-After"]))


async def load(address: str, tasks: list[Task], clients: int, process: int) -> Tally:
    tally, waiting = Tally(), list(reversed(tasks))
    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(address, connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(client(session, waiting, tally, process) for _ in range(clients)))
    return tally


def expected(one: Task, folder: Path, networks: Networks, options: argparse.Namespace) -> bytes:
    """What `upscale` writes for the picture, with the service's own number of threads."""
    source, output = folder / f"in{one.suffix}", folder / f"out{one.suffix}"
    source.write_bytes(one.body)
    request = Request(
        str(source),
        output,
        scale=Fraction(one.scale),
        model=one.model,
        backend=options.backend,
        precision=options.precision,
        threads=options.threads,
        overwrite=True,
    )
    upscale(request, Controls(networks=networks))
    return output.read_bytes()


def wrong(tasks: list[Task], tally: Tally, options: argparse.Namespace) -> list[int]:
    """The numbers of the pictures whose answer is another than `upscale` gives."""
    # Of one network after another, so that each is opened once.
    networks = Networks(keeps=True)
    with tempfile.TemporaryDirectory() as folder:
        found = [
            one.number
            for one in sorted(tasks, key=lambda one: one.model)
            if expected(one, Path(folder), networks, options) != tally.answers[one.number]
        ]
    networks.close()
    return found


def started(options: argparse.Namespace) -> tuple[subprocess.Popen[str], str]:
    """A service that listens, and its address."""
    words = [
        "--backend",
        options.backend,
        "--precision",
        options.precision,
        "--threads",
        str(options.threads),
    ]
    command = [sys.executable, "-m", "edge_sr", "serve", "127.0.0.1:0", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"service: (http\S+)", line):
            return process, found[1]
    raise SystemExit("the service did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    tasks = [task(number) for number in range(options.pictures)]
    process, address = started(options)
    # Its log must not fill the pipe.
    threading.Thread(target=process.communicate, daemon=True).start()
    try:
        begin_mb, began = resident_mb(process.pid), time.perf_counter()
        tally = asyncio.run(load(address, tasks, options.clients, process.pid))
        took = time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(60)
    print(describe())
    print(f"{options.backend} {options.precision}, {options.threads} threads of {available_cores()} cores")
    count, pace = options.pictures, options.pictures / took
    print(f"{options.clients} clients, {count} pictures in {took:.1f} s, {pace:.1f} a second")
    ordered = sorted(tally.seconds)
    print(
        f"answer after {median(ordered):.2f} s in the middle, {ordered[int(0.95 * len(ordered))]:.2f} s at 95 %"
    )
    print(f"sent away with 429 and come again: {tally.sent_away}")
    print(
        f"resident MB: {begin_mb:.0f} at the start",
        *(f"{mb:.0f} after {count}" for count, mb in tally.resident),
        sep=", ",
    )
    differing = wrong(tasks, tally, options)
    print(f"answers other than upscale's: {len(differing)} {differing[:10]}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
