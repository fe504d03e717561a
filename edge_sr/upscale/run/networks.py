"""Opening the network that a run asks for; runs that follow one another may share it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edge_sr.bundle import DEFAULT_MODEL
from edge_sr.errors import ResourceError

if TYPE_CHECKING:
    from edge_sr.upscale.run.request import Request
    from edge_sr.upscale.run.watcher import Watcher
    from edge_sr.upscaler import Upscaler


class Networks:
    """Opens networks. With ``keeps`` the last one stays open for a next run that asks for the same, until ``close``."""

    def __init__(self, *, keeps: bool = False) -> None:
        self.keeps = keeps
        self._asked: tuple[Any, ...] = ()
        self._open: Upscaler | None = None

    @contextlib.contextmanager
    def opened(self, request: Request, watcher: Watcher) -> Iterator[Upscaler]:
        """The upscaler asked for; what was left to it, it says with its reason."""
        if not self.keeps:
            with open_network(request, watcher) as network:
                yield network
            return
        try:
            yield self._kept(request, watcher)
        except ResourceError:
            # What broke it may be the device, so the next run opens it anew.
            with contextlib.suppress(ResourceError):
                self.close()
            raise

    def _kept(self, request: Request, watcher: Watcher) -> Upscaler:
        asked = network_options(request)
        if self._open is None or asked != self._asked:
            self.close()
            self._open, self._asked = open_network(request, watcher), asked
        return self._open

    def close(self) -> None:
        network, self._open = self._open, None
        if network is not None:
            network.close()


def network_options(request: Request) -> tuple[Any, ...]:
    """All that ``request`` says of its network: equal options are served by one."""
    return (
        request.model or DEFAULT_MODEL,
        request.backend,
        request.precision,
        request.threads,
        request.tta,
        request.retune,
    )


def open_network(request: Request, watcher: Watcher) -> Upscaler:
    """The upscaler that ``request`` asks for, opened anew."""
    from edge_sr.upscaler import Upscaler

    model, backend, precision, threads, tta, retune = network_options(request)
    upscaler = Upscaler(model, backend=backend, precision=precision, threads=threads, tta=tta, retune=retune)
    if "auto" in (backend, precision):
        watcher.say(f"{upscaler.model} in {upscaler.precision} on {upscaler.backend}: {upscaler.why}")
    return upscaler
