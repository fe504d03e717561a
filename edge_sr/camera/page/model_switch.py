"""Another model for the run, opened while the old one goes on."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from edge_sr.camera.engine import LiveUpscaler
from edge_sr.camera.page.viewer import Viewer
from edge_sr.errors import EdgeSRError
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.upscaler import Upscaler


@dataclasses.dataclass(frozen=True)
class Opening:
    """A network on its way, and who asked for it."""

    viewer: Viewer
    choice: NetworkChoice
    network: Future[Upscaler]


class ModelSwitch:
    """The viewers' last wish: ``wish`` is the server's call, ``attend`` the network's, between two frames."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wish: tuple[Viewer, NetworkChoice] | None = None
        self._opening: Opening | None = None
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="page-model")

    def wish(self, viewer: Viewer, choice: NetworkChoice) -> None:
        """The choice's backend and threads stay those of the run."""
        with self._lock:
            self._wish = viewer, choice

    def attend(self, engine: LiveUpscaler) -> bool:
        """Begins what is wished for, and takes what is ready; whether ``engine`` has another network now."""
        opening = self._opening
        if opening is None:
            self._begin(engine.choice)
            return False
        if not opening.network.done():
            return False
        self._opening = None
        try:
            network = opening.network.result()
        except EdgeSRError as error:
            opening.viewer.tell({"error": str(error)})
            return False
        opening.viewer.tell({"note": ""})
        if self._wish is not None:
            network.close()
            return False
        engine.switch(opening.choice, network)
        return True

    def close(self) -> None:
        """Waits for what is being opened, which nobody wants any more."""
        self._opener.shutdown()
        opening, self._opening = self._opening, None
        if opening is not None and opening.network.exception() is None:
            opening.network.result().close()

    def _begin(self, kept: NetworkChoice) -> None:
        with self._lock:
            wish, self._wish = self._wish, None
        if wish is None:
            return
        viewer, wished = wish
        choice = dataclasses.replace(wished, backend=kept.backend, threads=kept.threads)
        viewer.tell({"note": "Opening the model: the old one goes on meanwhile …"})
        self._opening = Opening(viewer, choice, self._opener.submit(choice.open))
