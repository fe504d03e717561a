"""Films made on a cluster of worker processes: the same as one process makes, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from support.films import Making, frame_pixels, frame_times, make_film, packets

from edge_sr.errors import InterruptedRun, ResourceError
from edge_sr.farm.films import maker as making
from edge_sr.farm.films.job import FilmJob
from edge_sr.farm.films.maker import ClusterMaker, ClusterMakers
from edge_sr.farm.films.queue import PieceQueue
from edge_sr.farm.nodes.connection import Cluster
from edge_sr.upscale.batch.batch import plan_batch, run_batch
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale
from edge_sr.video.encode.workfolder import WorkFolder

# The cluster is one for all of them.
pytestmark = pytest.mark.xdist_group("ray")

Run = Callable[..., Report]
FIXED: dict[str, Any] = {
    "scale": Fraction(3, 2),
    "model": "diinn-nano",
    "backend": "onnxruntime",
    "precision": "fp32",
    "preset": "veryfast",
    "segment_frames": 4,
}


class Watching(Silent):
    """Keeps what is said, and does its deed once, when a piece of the output is there."""

    def __init__(self, output: Path, deed: Callable[[], object] = lambda: None) -> None:
        self.said: list[str] = []
        self.done: list[int] = []
        self._output, self._deed = output, deed

    def say(self, text: str) -> None:
        self.said.append(text)

    def frame(self, done: int, fps: float) -> None:
        self.done.append(done)
        if WorkFolder(self._output).pieces():
            self._deed, deed = lambda: None, self._deed
            deed()


@pytest.fixture
def run(cluster: Cluster) -> Run:
    def go(film: Path, output: Path, watcher: Silent | None = None, **more: Any) -> Report:
        controls = Controls(watcher or Silent(), makers=ClusterMakers(cluster))
        return upscale(Request(str(film), output, **{**FIXED, **more}), controls)

    return go


def alone(film: Path, output: Path, **more: Any) -> Report:
    return upscale(Request(str(film), output, **{**FIXED, **more}))


def assert_equal(one: Path, other: Path) -> None:
    assert frame_times(one) == frame_times(other)
    assert all((a == b).all() for a, b in zip(frame_pixels(one), frame_pixels(other), strict=True))
    assert packets(one, "video") == packets(other, "video")
    assert packets(one, "audio") == packets(other, "audio")


FILMS = {
    "sound and B-frames.mkv": Making(frames=18, options={"g": "7", "bf": "2"}, audio=("eng",)),
    "interlaced.mp4": Making(size=(64, 64), frames=14, interlaced=True),
    "uneven.mkv": Making(times=[n * 40 + n % 3 * 5 for n in range(11)], time_base=Fraction(1, 1000)),
    "raw.h264": Making(frames=10),
}


@pytest.mark.parametrize("name", FILMS)
def test_the_same_film_as_one_process_makes(run: Run, tmp_path: Path, name: str) -> None:
    film = make_film(tmp_path / name, FILMS[name])
    single, many = alone(film, tmp_path / "one.mkv"), run(film, tmp_path / "many.mkv")
    assert_equal(tmp_path / "one.mkv", tmp_path / "many.mkv")
    assert (many.frames, many.resumed_frames, many.dropped) == (single.frames, 0, single.dropped)
    assert many.encoder_ms > 0
    assert not WorkFolder(tmp_path / "many.mkv").path.exists()


def test_alpha_goes_along(run: Run, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mov", Making(frames=6, codec="qtrle", pixel_format="argb"))
    more: dict[str, Any] = {"codec": "ffv1", "preset": None}
    alone(film, tmp_path / "one.mkv", **more)
    run(film, tmp_path / "many.mkv", **more)
    assert packets(tmp_path / "one.mkv", "video") == packets(tmp_path / "many.mkv", "video")
    with av.open(str(tmp_path / "many.mkv")) as container:
        assert container.streams.video[0].format.name == "yuva444p10le"


def test_a_task_at_its_end_is_not_cancelled(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray aborts the driver where a task is cancelled that ends in the same moment."""
    import ray

    cancelled: list[object] = []
    cancel = ray.cancel
    monkeypatch.setattr(ray, "cancel", lambda task, **how: (cancelled.append(task), cancel(task, **how)))
    # Copies of slow tasks are cancelled in mid-work.
    monkeypatch.setattr(PieceQueue, "copy_of_straggler", lambda *_: None)
    run(make_film(tmp_path / "film.mkv", Making(frames=18)), tmp_path / "many.mkv")
    assert not cancelled


def test_killed_workers_cost_nothing_but_time(run: Run, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(frames=40, options={"g": "9"}))
    watching = Watching(tmp_path / "many.mkv", kill_workers)
    run(film, tmp_path / "many.mkv", watching)
    alone(film, tmp_path / "one.mkv")
    assert_equal(tmp_path / "one.mkv", tmp_path / "many.mkv")
    assert watching.done[-1] == 40


def kill_workers() -> None:
    """All processes of this machine that make pieces for this one's cluster."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_bytes().startswith(b"ray::make_pieces") and is_ours(folder):
                os.kill(int(folder.name), signal.SIGKILL)


def is_ours(process: Path) -> bool:
    """Whether one of its ancestors is this process."""
    parent = int(process.name)
    while parent > 1:
        parent = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
        if parent == os.getpid():
            return True
    return False


@pytest.mark.parametrize("goes_on_with_cluster", [False, True])
def test_a_stopped_run_goes_on_either_way(run: Run, tmp_path: Path, goes_on_with_cluster: bool) -> None:
    film, output = make_film(tmp_path / "film.mkv", Making(frames=30)), tmp_path / "many.mkv"
    stop = threading.Event()
    controls = Controls(Watching(output, stop.set), stop, ClusterMakers(making_cluster(run)))
    with pytest.raises(InterruptedRun, match="go on with"):
        upscale(Request(str(film), output, **FIXED), controls)
    assert WorkFolder(output).pieces()
    report = (run if goes_on_with_cluster else alone)(film, output, resume=True)
    assert (report.frames, report.resumed_frames >= 4) == (30, True)
    alone(film, tmp_path / "one.mkv")
    assert_equal(tmp_path / "one.mkv", output)


def making_cluster(run: Run) -> Cluster:
    import ray

    assert run is not None
    return Cluster(ray, 1)


def test_nodes_that_share_no_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token that nodes look for and the input's identity are others than they find, as on machines apart."""
    film = make_film(tmp_path / "film.mkv", Making(frames=18))
    real, told = making.input_identity, WorkFolder.open_to_cluster
    monkeypatch.setattr(making, "input_identity", lambda name: {**real(name), "elsewhere": True})
    monkeypatch.setattr(WorkFolder, "open_to_cluster", lambda work: told(work)[::-1])
    run(film, tmp_path / "many.mkv")
    alone(film, tmp_path / "one.mkv")
    assert_equal(tmp_path / "one.mkv", tmp_path / "many.mkv")


def test_a_film_whose_packets_do_not_tell_its_frames(run: Run, tmp_path: Path) -> None:
    plain = Making(frames=24, codec="mjpeg", pixel_format="yuvj420p")
    film = make_film(tmp_path / "film.avi", plain)
    spoil_picture(film, 6)
    watching = Watching(tmp_path / "many.mkv")
    many = run(film, tmp_path / "many.mkv", watching)
    single = alone(film, tmp_path / "one.mkv")
    assert_equal(tmp_path / "one.mkv", tmp_path / "many.mkv")
    assert (many.frames, many.bad_frames) == (single.frames, single.bad_frames) == (23, 1)
    assert any("decoding it once" in text for text in watching.said)


def spoil_picture(film: Path, number: int) -> None:
    """No frame comes of that packet."""
    with av.open(str(film)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        data = bytes(packet)
    film.write_bytes(film.read_bytes().replace(data, bytes(len(data))))


def test_a_piece_that_always_fails_ends_the_film(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, real = make_film(tmp_path / "film.mkv", Making(frames=18)), ClusterMaker._job

    def bad_preset(*given: Any) -> FilmJob:
        job = real(*given)
        encoding = dataclasses.replace(job.recipe.encoding, options=(("preset", "none such"),))
        return dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, encoding=encoding))

    monkeypatch.setattr(ClusterMaker, "_job", bad_preset)
    with pytest.raises(ResourceError, match=r"piece \d+ of the film failed 3 times"):
        run(film, tmp_path / "many.mkv")


def test_several_films_at_a_time(cluster: Cluster, tmp_path: Path) -> None:
    names = ("a.mkv", "b.mkv", "c.mkv", "d.mkv")
    for index, name in enumerate(names):
        make_film(tmp_path / name, Making(frames=10 + index))
    out, told = tmp_path / "larger", []
    request = Request(str(tmp_path), out, **FIXED)
    controls = Controls(Silent(), makers=ClusterMakers(cluster))
    jobs = plan_batch(request, [str(tmp_path / name) for name in names], controls)
    run_batch(request, jobs, controls, told.append)
    assert sorted(outcome.report.frames for outcome in told if outcome.report) == [10, 11, 12, 13]
    for index, name in enumerate(names):
        assert len(frame_times(out / name)) == 10 + index


def test_a_cluster_started_here_has_the_priority_of_the_command(cluster: Cluster) -> None:
    assert cluster.ray.get(cluster.ray.remote(lambda: os.nice(0)).remote()) == os.nice(0)


def test_nothing_is_left_running(cluster: Cluster) -> None:
    """Tasks that were overtaken or stopped end."""
    cores = cluster.ray.cluster_resources()["CPU"]
    for _ in range(100):
        if cluster.ray.available_resources().get("CPU", 0) == cores:
            break
        threading.Event().wait(0.1)
    assert cluster.ray.available_resources()["CPU"] == cores
