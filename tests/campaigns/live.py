"""A live run whose source is killed again and again while strangers harass its page: it goes on, and tells nothing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from campaign import Case, Outcome, command_line
from processes import Ended, Limits, apart, run

RATE, FRAMES, SIZE = 250, 5000, (32, 24)
LIMITS = Limits(cpu_seconds=240, peak_mb=1500)
PASSWORD, KEY = "tr0ub4dor-and-3", "k3y-that-no-log-shows"
MOST_LINES = 200


def setup(seeds: Path) -> None:
    """Some seconds of a camera, as a transport stream."""
    with av.open(str(seeds / "live.ts"), "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=50, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
        for number in range(FRAMES):
            card = np.stack([x * 3 + number, y * 4 + number * 2, x + y], -1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(card, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 50)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class _Sender:
    """A camera over HTTP in a process of its own, which is killed and comes back at the same address."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._child = 0
        self.start()

    def start(self) -> None:
        self._child = os.fork()
        if self._child == 0:
            with contextlib.suppress(BaseException):
                self._serve()
            os._exit(0)

    def kill(self) -> None:
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0

    def _serve(self) -> None:
        signal.alarm(600)
        with socket.create_server(("127.0.0.1", self.port), backlog=8) as listening:
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/MP2T\r\n\r\n")
                    self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        each = 188 * max(1, len(self._data) // FRAMES // 188)
        for place in range(0, len(self._data), each * 10):
            connection.sendall(self._data[place : place + each * 10])
            time.sleep(10 / RATE)


class _Strangers:
    """Those who come to the page: half-open, nonsense, half a WebSocket, readers who read nothing."""

    def __init__(self, port: int, seed: float) -> None:
        self._child = os.fork()
        if self._child == 0:
            with contextlib.suppress(BaseException):
                self._harass(port, random.Random(seed))
            os._exit(0)

    def end(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)

    def _harass(self, port: int, dice: random.Random) -> None:
        signal.alarm(600)
        held: list[socket.socket] = []
        while True:
            with contextlib.suppress(OSError):
                stranger = socket.create_connection(("127.0.0.1", port), 1)
                stranger.settimeout(0.05)
                stranger.sendall(_greeting(dice))
                held.append(stranger)
                if dice.random() < 0.5:
                    stranger.recv(100)
            if len(held) > 150:
                held.pop(dice.randrange(len(held))).close()
            time.sleep(0.002)


def _greeting(dice: random.Random) -> bytes:
    host = b"Host: 127.0.0.1\r\n"
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    return dice.choice(
        (
            b"",
            b"GET / HT",
            b"GET /live HTTP/1.1\r\n" + host + b"Cookie: edge_sr_page=\xff\xfe\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"Cookie: a=\x80;;=\r\n\r\n",
            b"GET /snapshot.png HTTP/1.1\r\n" + host + b"\r\n",
            b"POST /offer HTTP/1.1\r\n" + host + b"Content-Length: 30000\r\n\r\nv=0",
            b"GET /live HTTP/1.1\r\n" + host + upgrade + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            + dice.randbytes(dice.randrange(60)),
            b"GET /live HTTP/1.1\r\n" + host + upgrade + b"Sec-WebSocket-Key: \xff\r\n\r\n",
            dice.randbytes(200),
            b"\x16\x03\x01" + dice.randbytes(100),
        )
    )  # fmt: skip


def work(case: Case) -> Outcome:
    dice, sandbox = case.dice, case.sandbox
    sender = _Sender((case.seeds / "live.ts").read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        page = int(probe.getsockname()[1])
    strangers = _Strangers(page, dice.random())
    output = sandbox.out / dice.choice(("live.mkv", "live.ts", "live.mp4"))
    words = ["camera", f"http://viewer:{PASSWORD}@127.0.0.1:{sender.port}/live.ts?key={KEY}", "-o", output]
    words += [
        "--scale",
        "2",
        "--serve",
        f"127.0.0.1:{page}",
        "--duration",
        f"{dice.choice((4, 8, 12))}",
        "--json",
    ]
    words += ["--model", "diinn-nano", "--backend", "native", "--precision", "fp32", "--threads", "1"]
    words += dice.choice(([], [], ["--fps", "15"]))
    sandbox.seal()
    breaks = _Breaks(sender, output, dice)
    try:
        ended = run(
            words, folder=sandbox.here, environment=sandbox.environment, limits=LIMITS, watch=breaks.watch
        )
    finally:
        strangers.end()
        sender.kill()
    faults, frames = _verdict(ended, output)
    told = [ended.err[-500:]] if faults else []
    found = sandbox.faults(ended, LIMITS, (PASSWORD, KEY))
    return Outcome(
        f"exit {ended.code}",
        (*found, *faults, *told),
        (("frames", frames), ("kills of the source", breaks.count)),
    )


class _Breaks:
    """Kills the source now and then once the first pictures are out, and lets it come back a while later."""

    def __init__(self, sender: _Sender, output: Path, dice: random.Random) -> None:
        self._sender, self._output, self._dice, self.count = sender, output, dice, 0
        self._next, self._gone = 0.0, False

    def watch(self, _: int) -> bool:
        now = time.monotonic()
        if not self._next and self._output.exists():
            self._next = now + self._dice.uniform(0.2, 2)
        if self._next and now >= self._next:
            self._sender.start() if self._gone else self._sender.kill()
            self.count += not self._gone
            self._gone = not self._gone
            self._next = now + self._dice.uniform(0.05, 0.8 if self._gone else 2.0)
        return False


def _verdict(ended: Ended, output: Path) -> tuple[list[str], int]:
    faults = []
    if len(ended.err.splitlines()) > MOST_LINES:
        faults.append(f"{len(ended.err.splitlines())} lines in the log")
    if ended.code != 0:
        return [*faults, f"exit {ended.code}"] if ended.code != 4 else faults, 0
    report = json.loads(ended.out)
    lost = report["frames_in"] - report["frames_out"] - report["dropped"]
    if lost:
        faults.append(f"{lost} of {report['frames_in']} frames are neither written nor counted as dropped")
    answer = apart(lambda: _decoded(output))
    if not answer.isdecimal() or int(answer) < report["frames_out"]:
        faults.append(f"the film holds {answer} frames, {report['frames_out']} were written")
    return faults, report["frames_in"]


def _decoded(path: Path) -> str:
    with av.open(str(path)) as container:
        return str(sum(1 for _ in container.decode(video=0)))


if __name__ == "__main__":
    command_line("live", setup, work, "edge_sr.camera.run", "edge_sr.camera.page.server", "aiohttp.web")
