"""The network that a run asks for, and opening it; runs that follow one another may share it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from edge_sr.bundle import DEFAULT_MODEL
from edge_sr.errors import ResourceError

if TYPE_CHECKING:
    from edge_sr.upscale.run.request import Request
    from edge_sr.upscale.run.watcher import Watcher
    from edge_sr.upscaler import Upscaler

# Who has no compiler would take the speed for the project's.
SLOW = "note: the native library is not built, so this runs several times slower: edge-sr doctor says how to get it"


@dataclasses.dataclass(frozen=True)
class NetworkChoice:
    """A network by name, as far as it is settled; equal choices are served by one. Without ``threads``, all cores."""

    model: str = DEFAULT_MODEL
    backend: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    tta: bool = False
    retune: bool = False

    def open(self) -> Upscaler:
        """Raises what ``Upscaler`` raises; where ``auto`` has to measure, it takes many seconds."""
        from edge_sr.upscaler import Upscaler

        return Upscaler(**vars(self))


class KeptNetwork:
    """The network that was asked for last, open for whoever asks for the same."""

    def __init__(self) -> None:
        self._open: tuple[NetworkChoice, Upscaler] | None = None

    def opened(self, choice: NetworkChoice) -> Upscaler:
        """The network, opened now unless the last one is the same."""
        if self._open is None or self._open[0] != choice:
            self.close()
            self._open = choice, choice.open()
        return self._open[1]

    def close(self) -> None:
        """Closes what is open, as after an error that a device may be the cause of."""
        kept, self._open = self._open, None
        if kept is not None:
            kept[1].close()


class NetworkSource(Protocol):
    """Where runs get their networks from."""

    @property
    def keeps(self) -> bool:
        """Whether what it opened for one run is still open for the next that asks for the same."""

    def opened(self, request: Request, watcher: Watcher) -> AbstractContextManager[Upscaler]:
        """The upscaler that ``request`` asks for, for the caller alone."""


class Networks:
    """Opens networks. With ``keeps`` the last one stays open for a next run that asks for the same, until ``close``."""

    def __init__(self, *, keeps: bool = False) -> None:
        self.keeps = keeps
        self._kept = KeptNetwork()
        self._told: Upscaler | None = None

    @contextlib.contextmanager
    def opened(self, request: Request, watcher: Watcher) -> Iterator[Upscaler]:
        """The upscaler asked for; what was left to it, it says with its reason."""
        if not self.keeps:
            with open_network(request, watcher) as network:
                yield network
            return
        try:
            network = self._kept.opened(request.network)
            if network is not self._told:
                tell_choice(network, request, watcher)
                self._told = network
            yield network
        except ResourceError:
            # What broke it may be the device, so the next run opens it anew.
            with contextlib.suppress(ResourceError):
                self.close()
            raise

    def warm_up(self, request: Request) -> None:
        """Opens what ``request`` asks for, to keep, so that what is missing shows; its first run is told of it."""
        self._kept.opened(request.network)

    def close(self) -> None:
        self._kept.close()


def open_network(request: Request, watcher: Watcher) -> Upscaler:
    """The upscaler that ``request`` asks for, opened anew; what was left to it, it says with its reason."""
    network = request.network.open()
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
