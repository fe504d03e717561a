"""The page's viewers and the network between them: encode a frame once, decode each one's view of it."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from edge_sr.camera.engine import LiveUpscaler
from edge_sr.camera.pacing.latency import Latencies
from edge_sr.camera.page.messages import before_region, jpeg, packed, png
from edge_sr.camera.page.model_switch import ModelSwitch
from edge_sr.camera.page.viewer import Viewer
from edge_sr.camera.page.views import FEWEST_PIXELS, MOST_PIXELS, ViewPlan
from edge_sr.camera.pictures import Picture
from edge_sr.camera.request import LiveReport
from edge_sr.sizes import Size
from edge_sr.upscale.run.networks import NetworkChoice

# Of a frame's time, how much the views may take together.
SHARE = 0.75
# Sizes of views change by so much at a time.
STEP = 1.25
SHARP_QUALITY, SOFT_QUALITY = 88, 85
STATS_SECONDS = 0.2

Show = Callable[[Picture], None]


@dataclasses.dataclass(frozen=True)
class LatestFrame:
    """The newest frame: its maps, when it came in, and the report's figures at that time."""

    encoded: Any
    captured: float
    figures: dict[str, Any]
    still: bool

    @property
    def size(self) -> Size:
        width, height = self.encoded.size
        return int(width), int(height)


class Audience:
    """All viewers. ``join`` and ``leave`` are the server's calls, ``serve`` and ``attend`` the network's."""

    def __init__(self, period: float, output_size: Callable[[], Size]) -> None:
        self.latencies = Latencies()
        self.shown = 0
        self._period = period
        self._output_size = output_size
        self._viewers: set[Viewer] = set()
        self._lock = threading.Lock()
        self._scene: LatestFrame | None = None
        self._snapshots: list[Future[bytes]] = []
        self._watchers: dict[object, Show] = {}
        self._models = ModelSwitch()
        self._pixel_seconds = 0.0
        self._encode_seconds = 0.0
        self._painters = ThreadPoolExecutor(2, thread_name_prefix="page-jpeg")

    def join(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.add(viewer)

    def leave(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.discard(viewer)

    def watch(self, who: object, show: Show) -> None:
        """Every frame at the run's output size, until ``unwatch``."""
        with self._lock:
            self._watchers[who] = show

    def unwatch(self, who: object) -> None:
        with self._lock:
            self._watchers.pop(who, None)

    @property
    def count(self) -> int:
        return len(self._viewers)

    def wish(self, viewer: Viewer, choice: NetworkChoice) -> None:
        """Another model, once it is open; only the last wish counts."""
        self._models.wish(viewer, choice)

    def snapshot(self) -> Future[bytes]:
        """A PNG of the next frame at the run's output size."""
        future: Future[bytes] = Future()
        with self._lock:
            self._snapshots.append(future)
        return future

    def close(self) -> None:
        for future in self._taken_snapshots():
            future.cancel()
        self._painters.shutdown(wait=False)
        self._models.close()

    @property
    def waiting(self) -> bool:
        return self.count > 0 or bool(self._snapshots) or bool(self._watchers)

    def serve(self, engine: LiveUpscaler, frame: Picture, captured: float, report: LiveReport) -> None:
        """A new frame for everybody who is ready for one."""
        if not self.waiting:
            self._scene = None
            return
        old = self._scene
        still = old is not None and np.array_equal(old.encoded.frame, frame)
        encoded = old.encoded if old is not None and still else self._encode(engine, frame)
        self._scene = LatestFrame(encoded, captured, self._figures(engine, report), still)
        self._show_whole(engine, self._scene)
        self._show(engine, self._ready(), self._scene)

    def attend(self, engine: LiveUpscaler) -> None:
        """Between frames: another model, and views that moved."""
        if self._models.attend(engine):
            self._begin_anew(engine)
        if self._scene is not None:
            moved = [viewer for viewer in self._ready() if viewer.moved]
            self._show(engine, moved, dataclasses.replace(self._scene, still=False))

    def _encode(self, engine: LiveUpscaler, frame: Picture) -> Any:
        began = time.perf_counter()
        encoded = engine.encode(frame)
        self._encode_seconds += 0.2 * (time.perf_counter() - began - self._encode_seconds)
        return encoded

    def _ready(self) -> list[Viewer]:
        """Those who wait, the longest first."""
        with self._lock:
            return sorted((viewer for viewer in self._viewers if viewer.ready), key=lambda each: each.served)

    def _show(self, engine: LiveUpscaler, viewers: Iterable[Viewer], scene: LatestFrame) -> None:
        # Where encoding takes long, decoding may take as long: the more viewers share one encoding, the better.
        until = time.monotonic() + max(SHARE * self._period, self._encode_seconds)
        painted: dict[ViewPlan, Future[tuple[bytes, bytes]]] = {}
        most = self._most_pixels()
        for viewer in viewers:
            if viewer.view is None or (scene.still and not viewer.moved):
                self._send_figures(viewer, scene)
                continue
            # Who is left out now comes first with the next frame.
            if painted and time.monotonic() > until:
                return
            # In this order: it may move meanwhile.
            viewer.moved = False
            plan = viewer.view.plan(scene.size, most)
            if plan not in painted:
                painted[plan] = self._paint(engine, scene, plan)
            self._send(viewer, scene, plan, painted[plan])

    def _most_pixels(self) -> int:
        """What each view may have for all of them to be done in time."""
        if self._pixel_seconds <= 0:
            return FEWEST_PIXELS
        # Where encoding alone takes the whole period, fewer but sharper pictures: as long again for decoding.
        room = max(self._encode_seconds, SHARE * self._period - self._encode_seconds)
        pixels = room / self._pixel_seconds / max(1, self.count)
        # In steps, so that a still view keeps its size from frame to frame.
        stepped = STEP ** math.floor(math.log(max(pixels, 1.0), STEP))
        return round(min(MOST_PIXELS, max(FEWEST_PIXELS, stepped)))

    def _paint(self, engine: LiveUpscaler, scene: LatestFrame, plan: ViewPlan) -> Future[tuple[bytes, bytes]]:
        began = time.perf_counter()
        sharp = engine.network.decode(scene.encoded, size=plan.size, region=plan.region)
        each = (time.perf_counter() - began) / (sharp.shape[0] * sharp.shape[1])
        self._pixel_seconds += (0.2 if self._pixel_seconds else 1.0) * (each - self._pixel_seconds)
        x, y, width, height = before_region(plan.region, scene.size)
        soft = scene.encoded.frame[y : y + height, x : x + width]
        return self._painters.submit(lambda: (jpeg(sharp, SHARP_QUALITY), jpeg(soft, SOFT_QUALITY)))

    def _send(
        self, viewer: Viewer, scene: LatestFrame, plan: ViewPlan, painted: Future[tuple[bytes, bytes]]
    ) -> None:
        viewer.sent += 1
        viewer.served = time.monotonic()
        number = viewer.sent
        header = {
            "number": number,
            "source": scene.size,
            "region": plan.region,
            "before": before_region(plan.region, scene.size),
            "scale": round(plan.size[0] / scene.size[0], 3),
            "stats": scene.figures,
        }

        def done(future: Future[tuple[bytes, bytes]]) -> None:
            if future.cancelled() or future.exception() is not None:
                viewer.pictures.put(number, None)
                return
            latency = 1000 * (time.monotonic() - scene.captured)
            self.latencies.add(latency)
            header["latency"] = round(latency, 1)
            viewer.pictures.put(number, packed(header, *future.result()))

        painted.add_done_callback(done)

    def _send_figures(self, viewer: Viewer, scene: LatestFrame) -> None:
        if time.monotonic() - viewer.served >= STATS_SECONDS:
            viewer.served = time.monotonic()
            viewer.tell({"stats": scene.figures})

    def _figures(self, engine: LiveUpscaler, report: LiveReport) -> dict[str, Any]:
        self.shown += 1
        return {
            "in": report.frames_in,
            "dropped": report.dropped - report.thinned - report.skipped,
            "every": report.every,
            "reused": report.reused_tiles,
            "reconnects": report.reconnects,
            "sink_scale": report.scale,
            "model": engine.network.model,
            "precision": engine.network.precision,
            "backend": engine.network.backend,
            "encoder_ms": round(1000 * self._encode_seconds, 1),
            "viewers": self.count,
        }

    def _begin_anew(self, engine: LiveUpscaler) -> None:
        """The scene by another network, for everybody."""
        self._pixel_seconds = 0.0
        if self._scene is not None:
            self._scene = dataclasses.replace(self._scene, encoded=engine.encode(self._scene.encoded.frame))
        with self._lock:
            for each in self._viewers:
                each.moved = True

    def _taken_snapshots(self) -> list[Future[bytes]]:
        with self._lock:
            taken, self._snapshots = self._snapshots, []
        return taken

    def _show_whole(self, engine: LiveUpscaler, scene: LatestFrame) -> None:
        with self._lock:
            shows = list(self._watchers.values())
        taken = self._taken_snapshots()
        if not taken and not shows:
            return
        picture = engine.network.decode(scene.encoded, size=self._output_size())
        for show in shows:
            show(picture)
        if taken:
            self._painters.submit(lambda: _fulfil(taken, picture))


def _fulfil(taken: list[Future[bytes]], picture: Picture) -> None:
    data = png(picture)
    for future in taken:
        if future.set_running_or_notify_cancel():
            future.set_result(data)
