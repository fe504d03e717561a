"""What a cluster costs: scaling and the driver's memory with simulated nodes, and the overhead against one process.

    python benchmarks/cluster.py scaling --workers 1,4,16,64 --pieces 100 [--plot FILE.svg]
    python benchmarks/cluster.py memory --pieces 100,10000
    python benchmarks/cluster.py overhead --frames 2000 --rounds 2

``scaling`` and ``memory`` are simulated: a task waits for ``--seconds`` a piece in place of decoding, network and
encoding, and all workers are processes of this machine. Handing out, taking in and the work folder are the real ones.
``overhead`` makes a real film alternately by one process and by a cluster of two slots that was started before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.farm.films.dispatch import Dispatcher
from edge_sr.farm.films.index import Piece
from edge_sr.farm.films.intake import Intake
from edge_sr.farm.films.job import Begun, Event, PieceMade, PieceRange
from edge_sr.farm.nodes.asking import ClusterNode, nodes_alive
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscaler import PartTimes
from edge_sr.video.encode.workfolder import WorkFolder

LENGTH = 120
STORE_BYTES = 100 << 20


class SimulatedNodes:
    """This machine as so many slots."""

    cpus, gpus, is_blind = 1, 0, False

    def __init__(self, ray: Any) -> None:
        self.nodes = nodes_alive(ray)

    @property
    def slots(self) -> int:
        return sum(map(self.slots_of, self.nodes.values()))

    def slots_of(self, node: ClusterNode) -> int:
        return int(node.cpus)

    def forget_lost(self) -> None:
        return

    def take_in_new(self) -> None:
        return


def wait_for_pieces(job: tuple[float, str], span: PieceRange) -> Iterator[Event]:
    """As ``make_pieces``, each piece a file of a few bytes after some seconds."""
    import ray

    seconds, folder = job
    yield Begun(ray.get_runtime_context().get_node_id(), "this machine")
    for piece in span.pieces:
        time.sleep(seconds)
        draft = Path(folder) / f"unfinished-{secrets.token_hex(8)}.mp4"
        draft.write_bytes(b"piece")
        end = piece.first_pts + LENGTH
        yield PieceMade(
            piece.number, piece.first_pts, end, ".mp4", LENGTH, PartTimes(), 0, (), (), draft.name
        )


def pieces(count: int) -> Iterator[Piece]:
    for number in range(count):
        first = number * LENGTH
        yield Piece(number, first, first + LENGTH if number < count - 1 else None)


def simulated(ray: Any, count: int, seconds: float) -> float:
    """The seconds that so many pieces take."""
    # Copies of stragglers may still write when all is made.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = WorkFolder(Path(folder) / "film.mp4")
        work.open({}, resume=False, overwrite=False)
        intake = Intake(work, LENGTH, count * LENGTH, Silent())
        dispatcher = Dispatcher(ray, SimulatedNodes(ray), wait_for_pieces, threading.Event())
        began = time.monotonic()
        dispatcher.make((seconds, str(work.path)), pieces(count), intake)  # type: ignore[arg-type]
        took = time.monotonic() - began
        assert intake.is_whole and intake.made.frames == count * LENGTH
        work.close()
    return took


def started(workers: int) -> Any:
    import ray

    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        log_to_driver=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        ready = ray.remote(num_cpus=1)(wait_for_others)
        ray.get([ready.remote(folder, workers) for _ in range(workers)])
    return ray


def wait_for_others(folder: str, workers: int) -> None:
    """Ends when so many processes are there, and have imported what tasks need."""
    import edge_sr.farm.films.job  # noqa: F401

    (Path(folder) / secrets.token_hex(8)).touch()
    while len(list(Path(folder).iterdir())) < workers:
        time.sleep(0.2)


def scaling(options: argparse.Namespace) -> list[dict[str, float]]:
    """Efficiency: the seconds of work in a run, divided by workers and the run's own seconds."""
    found = []
    for workers in numbers(options.workers):
        ray = started(workers)
        per_worker = max(numbers(options.pieces))
        took = simulated(ray, workers * per_worker, options.seconds)
        ray.shutdown()
        efficiency = per_worker * options.seconds / took
        found.append({"workers": workers, "pieces": workers * per_worker, "seconds": round(took, 2)})
        found[-1]["efficiency"] = round(efficiency, 4)
        print(json.dumps(found[-1]), flush=True)
    return found


def memory(options: argparse.Namespace) -> None:
    """Each count in a process of its own."""
    for count in numbers(options.pieces):
        words = [sys.executable, __file__, "one-memory", "--pieces", str(count)]
        print(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip(), flush=True)


def one_memory(options: argparse.Namespace) -> None:
    ray, count = started(2), numbers(options.pieces)[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    simulated(ray, count, 0.0)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"pieces": count, "peak_rss_mb": after // 1000, "before_mb": before // 1000}))
    ray.shutdown()


def overhead(options: argparse.Namespace) -> None:
    """The ratios of the best of each, made in turns; a short film warms up both. Where others use the machine too, the
    processors' time tells more than the clock's."""
    from edge_sr.farm.films.maker import ClusterMakers
    from edge_sr.farm.nodes.connection import ClusterAddress, joined
    from edge_sr.upscale.upscale import upscale

    with tempfile.TemporaryDirectory() as name, joined(ClusterAddress.parse("local:2")) as cluster:
        folder = Path(name)
        make_film(folder / "film.mkv", options.frames)
        make_film(folder / "short.mkv", 24)
        makers = {"one": Controls(), "cluster": Controls(makers=ClusterMakers(cluster))}
        took: dict[str, list[float]] = {"one": [], "cluster": []}
        spent: dict[str, list[float]] = {"one": [], "cluster": []}
        for number in range(options.rounds + 1):
            for kind, controls in makers.items():
                film, output = folder / ("film.mkv" if number else "short.mkv"), folder / f"{kind}.mkv"
                request = Request(
                    str(film),
                    output,
                    scale=Fraction(2),
                    model="diinn-nano",
                    backend=options.backend,
                    precision="auto" if options.backend == "auto" else "fp32",
                    preset="veryfast",
                )
                began, before = time.monotonic(), processor_seconds()
                upscale(request, controls)
                took[kind].append(round(time.monotonic() - began, 2))
                spent[kind].append(round(processor_seconds() - before, 2))
                said = f"{kind}, {film.stem}: {took[kind][-1]} s, {spent[kind][-1]} s of processors"
                print(said, file=sys.stderr, flush=True)
                output.unlink()
        print(json.dumps({"seconds": took, "ratio": ratio(took)}))
        print(json.dumps({"processor_seconds": spent, "ratio": ratio(spent)}))


def ratio(found: dict[str, list[float]]) -> float:
    best = {kind: min(seconds[1:]) for kind, seconds in found.items()}
    return round(best["cluster"] / best["one"], 4)


def processor_seconds() -> float:
    """Of this process and all that it started, Ray's among them, so far."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)], ticks[int(folder.name)] = int(words[1]), sum(map(int, words[11:15]))

    def is_ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and is_ours(parents[process]))

    return sum(ticks[one] for one in ticks if is_ours(one)) / os.sysconf("SC_CLK_TCK")


def make_film(path: Path, frames: int) -> None:
    import av
    import numpy as np

    y, x = np.mgrid[0:72, 0:128]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 128, 72, "yuv420p"
        for index in range(frames):
            card = np.stack([x * 3 + index, y * 4 + index * 2, x + y + index * 5], -1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(card, format="rgb24")))
        container.mux(stream.encode(None))


def plot(found: list[dict[str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5))
    workers = [one["workers"] for one in found]
    axes.plot(workers, [one["efficiency"] for one in found], marker="o")
    axes.set(xlabel="workers (simulated)", ylabel="efficiency", ylim=(0, 1.05))
    axes.set_xscale("log", base=2)
    axes.set_xticks(workers, [str(number) for number in workers])
    axes.axhline(0.9, linestyle=":", color="grey")
    figure.tight_layout()
    figure.savefig(path)


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("scaling", "memory", "one-memory", "overhead"))
    parser.add_argument("--workers", default="1,2,4,8,16,32,64")
    parser.add_argument("--pieces", default="100", help="pieces a worker, or of a film [100]")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a simulated piece [1]")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--backend", default="auto", help="that makes the film [auto]")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if options.what == "scaling":
        found = scaling(options)
        if options.plot:
            plot(found, options.plot)
    else:
        {"memory": memory, "one-memory": one_memory, "overhead": overhead}[options.what](options)


if __name__ == "__main__":
    main()
