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

# Who has no compiler would take the speed for the project's.
SLOW = "note: the native library is not built, so this runs several times slower: edge-sr doctor says how to get it"


class Networks:
    """Opens networks. With ``keeps`` the last one stays open for a next run that asks for the same, until ``close``."""

    def __init__(self, *, keeps: bool = False) -> None:
        self.keeps = keeps
        self._asked: tuple[Any, ...] = ()
        self._open: Upscaler | None = None
        self._told = False

    @contextlib.contextmanager
    def opened(self, request: Request, watcher: Watcher) -> Iterator[Upscaler]:
        """The upscaler asked for; what was left to it, it says with its reason."""
        if not self.keeps:
            with open_network(request, watcher) as network:
                yield network
            return
        try:
            network = self._kept(request)
            if not self._told:
                tell_choice(network, request, watcher)
                self._told = True
            yield network
        except ResourceError:
            # What broke it may be the device, so the next run opens it anew.
            with contextlib.suppress(ResourceError):
                self.close()
            raise

    def warm_up(self, request: Request) -> None:
        """Opens what ``request`` asks for, to keep, so that what is missing shows; its first run is told of it."""
        self._kept(request)

    def _kept(self, request: Request) -> Upscaler:
        asked = network_options(request)
        if self._open is None or asked != self._asked:
            self.close()
            self._open, self._asked, self._told = _opened(request), asked, False
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
    """The upscaler that ``request`` asks for, opened anew; what was left to it, it says with its reason."""
    network = _opened(request)
    tell_choice(network, request, watcher)
    return network


def tell_choice(network: Upscaler, request: Request, watcher: Watcher) -> None:
    """Says what ``auto`` came to, where ``request`` left something to it."""
    if "auto" in (request.backend, request.precision):
        choice = f"{network.model} in {network.precision} on {network.backend}: {network.why}"
        watcher.say(choice if request.retune else f"{choice}; more: edge-sr doctor")
        if request.backend == "auto" and network.backend == "onnxruntime" and _lacks_the_library(network):
            watcher.say(SLOW)


def _lacks_the_library(network: Upscaler) -> bool:
    """Whether the native library would run it, were it built here."""
    from edge_sr.backends.registry import BACKENDS

    native = BACKENDS["native"]
    return native.takes(network.bundle) and native.unavailable_reason() is not None


def _opened(request: Request) -> Upscaler:
    from edge_sr.upscaler import Upscaler

    model, backend, precision, threads, tta, retune = network_options(request)
    return Upscaler(model, backend=backend, precision=precision, threads=threads, tta=tta, retune=retune)
