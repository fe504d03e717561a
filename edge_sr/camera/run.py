"""One live run, with a page or without."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from fractions import Fraction

from edge_sr.bundle import open_bundle
from edge_sr.camera.page.audience import Audience
from edge_sr.camera.reader import Say
from edge_sr.camera.request import CameraRequest, LiveReport
from edge_sr.camera.session import DEFAULT_RATE, CameraSession
from edge_sr.masking import disclose


def run(request: CameraRequest, stop: threading.Event, say: Say) -> LiveReport:
    """Runs ``request`` to its end, or until ``stop`` is set.

    Raises what a source, a sink, a model or the page's server raise. The page's address, with its token where
    it has one, is said once.
    """
    session = CameraSession(request, stop, say)
    with _page(request, session, say):
        return session.run()


@contextlib.contextmanager
def _page(request: CameraRequest, session: CameraSession, say: Say) -> Iterator[None]:
    if request.place is None:
        yield
        return
    from edge_sr.camera.page.server import open_page

    rate = request.rate or Fraction(DEFAULT_RATE)
    audience = Audience(float(1 / rate), lambda: session.target)
    network = request.network
    server = open_page(request.place, audience, open_bundle(network.model), network.backend, say)
    try:
        disclose(server.address)
        say(f"page: {server.address}")
        session.audience = audience
        yield
    finally:
        server.close()
        audience.close()
