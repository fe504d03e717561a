"""Workers, nodes and drivers of a cluster that are killed at random while films are made: each film comes out as one
process makes it.

    python tests/campaigns/cluster.py --minutes 3 --seed 1

The cluster is one on this machine: a head without cores, and two nodes of one core each. Needs the extra ``farm``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from edge_sr.errors import EdgeSRError
from edge_sr.farm.films.maker import ClusterMakers
from edge_sr.farm.nodes.connection import ClusterAddress, joined
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale
from edge_sr.video.encode.workfolder import WorkFolder

FRAMES, PIECE, SIZE = 240, 6, (160, 96)
NETWORK: dict[str, Any] = {"model": "diinn-nano", "backend": "native", "precision": "fp32"}
STORE_BYTES = 100 << 20
# Ray's workers would otherwise give way to everything else on the machine.
PRIORITY = {"RAY_worker_niceness": "0"}
# Between two kills, of a node for it to have been of use, and without a frame for a film to hang, in seconds.
PAUSE, NODE_PAUSE, HOPELESS = (1.0, 8.0), 30.0, 120.0


Make = Callable[[Path, Silent, threading.Event], None]


class Nodes:
    """The cluster's processes, and how to kill some of them."""

    def __init__(self, dice: random.Random) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        self._dice = dice
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes = [self._add(), self._add()]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def kill_worker(self) -> bool:
        """SIGKILL for one process that makes pieces; False where there is none."""
        found = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if self._makes_pieces(folder)]
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._dice.choice(found), signal.SIGKILL)
        return bool(found)

    def kill_node(self) -> bool:
        """A node goes without a word, and another one joins."""
        node = self._nodes.pop(self._dice.randrange(len(self._nodes)))
        self.cluster.remove_node(node, allow_graceful=False)
        self._nodes.append(self._add())
        return True

    def _add(self) -> Any:
        return self.cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)

    def _makes_pieces(self, process: Path) -> bool:
        with contextlib.suppress(OSError):
            started = (process / "cmdline").read_bytes().startswith(b"ray::make_pieces")
            return started and self._session() in (process / "environ").read_bytes()
        return False

    def _session(self) -> bytes:
        """What tells this cluster's processes from those of another on the same machine."""
        return f"EDGE_SR_CAMPAIGN={os.getpid()}".encode()


class Impatient(Silent):
    """Stops a film of which nothing new was heard for long; keeps the most frames that were told of."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self.most = stop, 0
        self._wind_up()

    def frame(self, done: int, fps: float) -> None:
        if done > self.most:
            self.most = done
            self.timer.cancel()
            self._wind_up()

    def _wind_up(self) -> None:
        self.timer = threading.Timer(HOPELESS, self._stop.set)
        self.timer.daemon = True
        self.timer.start()


class FilmCampaign:
    """Films of ``frames``, each disturbed while it is made, that have to come out as one process makes them.

    Counts what was done and what was found.
    """

    def __init__(self, dice: random.Random, place: Path, frames: int = FRAMES) -> None:
        self._dice, self._place, self._frames = dice, place, frames
        self.counts: collections.Counter[str] = collections.Counter()
        make_film(place / "film.mkv", frames)
        upscale(self._request(place / "alone.mkv"))
        self._expected = digest(place / "alone.mkv")

    def _film(self, output: Path, make: Make, disturb: Callable[[threading.Event], None]) -> None:
        """One film; ``disturb`` returns once the event that it is given is set, or earlier."""
        ended = threading.Event()
        # Nodes can only be started by the main thread.
        film = threading.Thread(target=self._made, args=(output, make, ended), daemon=True)
        film.start()
        disturb(ended)
        film.join()
        self.counts["films"] += 1
        if output.exists() and digest(output) != self._expected:
            self._found("the film differs from one process's")
        if left := sorted(path.name for path in output.parent.glob("many*") if path != output):
            self._found(f"left behind: {', '.join(left)}")
        for path in output.parent.glob("many*"):
            path.unlink() if path.is_file() else WorkFolder(output).tidy()

    def _made(self, output: Path, make: Make, ended: threading.Event) -> None:
        stop = threading.Event()
        watching = Impatient(stop)
        try:
            make(output, watching, stop)
            if watching.most > self._frames:
                self._found(f"{watching.most} frames of {self._frames} were told of")
        except EdgeSRError as error:
            self._found(f"{type(error).__name__}: {error}")
        finally:
            watching.timer.cancel()
            ended.set()

    def _request(self, output: Path, resume: bool = False) -> Request:
        return request_for(self._place / "film.mkv", output, resume)

    def _found(self, what: str) -> None:
        self.counts["findings"] += 1
        print(what, flush=True)


class Campaign(FilmCampaign):
    """Films one after another, each under kills."""

    def __init__(self, seed: int, place: Path) -> None:
        os.environ |= {"EDGE_SR_CAMPAIGN": str(os.getpid()), **PRIORITY}
        super().__init__(random.Random(seed), place)
        self._node_killed = 0.0
        self._nodes = Nodes(self._dice)

    def run(self, until: float) -> None:
        output = self._place / "many.mkv"
        while time.monotonic() < until:
            # Killed drivers first, then one that goes on to the end in this process.
            for number in range(self._dice.choice((0, 0, 1, 2))):
                self._killed_driver(output, resume=number > 0)
            self._film(output, self._finish, lambda ended: self._kill(ended, until))
        self._nodes.cluster.shutdown()

    def _finish(self, output: Path, watching: Silent, stop: threading.Event) -> None:
        with joined(ClusterAddress.parse(self._nodes.address)) as cluster:
            self._to_the_end(output, Controls(watching, stop, ClusterMakers(cluster)))

    def _to_the_end(self, output: Path, controls: Controls) -> None:
        """A film that was given up for a piece that was killed too often goes on too."""
        while True:
            try:
                upscale(self._request(output, resume=WorkFolder(output).exists), controls)
                return
            except EdgeSRError as error:
                if "of the film failed" not in str(error):
                    raise
                self.counts["films given up and gone on with"] += 1

    def _kill(self, ended: threading.Event, until: float) -> None:
        while not ended.wait(self._dice.uniform(*PAUSE)) and time.monotonic() < until:
            if self._dice.random() < 0.15 and time.monotonic() - self._node_killed > NODE_PAUSE:
                self.counts["nodes killed"] += self._nodes.kill_node()
                self._node_killed = time.monotonic()
            else:
                self.counts["workers killed"] += self._nodes.kill_worker()

    def _killed_driver(self, output: Path, *, resume: bool) -> None:
        words = [sys.executable, __file__, "--drive", self._nodes.address, str(output)]
        process = subprocess.Popen(
            [*words, *(["--resume"] if resume else [])],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "EDGE_SR_CAMPAIGN": "driver"},
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if WorkFolder(output).exists and len(WorkFolder(output).pieces()) > self._dice.randrange(8):
                break
            time.sleep(0.1)
        process.kill()
        process.wait()
        self.counts["drivers killed"] += 1


def request_for(film: Path, output: Path, resume: bool) -> Request:
    return Request(str(film), output, scale=Fraction(3, 2), segment_frames=PIECE, resume=resume, **NETWORK)


def drive(address: str, output: Path, resume: bool) -> None:
    """The driver that is killed."""
    with joined(ClusterAddress.parse(address)) as cluster:
        controls = Controls(makers=ClusterMakers(cluster))
        upscale(request_for(output.with_name("film.mkv"), output, resume), controls)


def make_film(path: Path, frames: int = FRAMES) -> None:
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "17"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(frames):
            card = np.stack([x * 3 + index, y * 4 + index * 2, x + y + index * 5], -1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(card, format="rgb24")))
        container.mux(stream.encode(None))


def digest(path: Path) -> str:
    """Of every packet with its times."""
    found = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                found.update(f"{packet.stream_index} {packet.pts} {packet.dts}".encode() + bytes(packet))
    return found.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long, about [3]")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other kills [1]")
    parser.add_argument("--drive", nargs=2, metavar=("ADDRESS", "OUTPUT"), help=argparse.SUPPRESS)
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        drive(options.drive[0], Path(options.drive[1]), options.resume)
        return
    with tempfile.TemporaryDirectory(prefix="edge-sr-cluster-") as place:
        campaign = Campaign(options.seed, Path(place))
        campaign.run(time.monotonic() + 60 * options.minutes)
    told = ", ".join(f"{count} {what}" for what, count in sorted(campaign.counts.items()))
    print(f"cluster: seed {options.seed}: {told}; {campaign.counts['findings']} findings")
    sys.exit(campaign.counts["findings"] > 0)


if __name__ == "__main__":
    main()
