"""The open networks: each lent to one job at a time, those that nobody asked for the longest closed first."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from edge_sr.bundle import DEFAULT_MODEL
from edge_sr.errors import InputError, InterruptedRun, OptionError, UnknownNameError
from edge_sr.upscale.run.networks import NetworkChoice, open_network
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Watcher
from edge_sr.upscaler import Upscaler

# After these a network is as good as before.
HARMLESS = (OptionError, InputError, InterruptedRun)


class NetworkPool:
    """At most ``most`` open upscalers, in any thread; there must be no more jobs at once than that.

    ``models`` are those that may be asked for, by name; a run that asks for none, or for one that only suits it, gets
    the default.
    """

    keeps = True

    def __init__(self, most: int, models: dict[str, str]) -> None:
        self._most, self._models = most, models
        self._idle: OrderedDict[Upscaler, NetworkChoice] = OrderedDict()
        self._lent: Counter[NetworkChoice] = Counter()
        self._lock = threading.Lock()
        # What auto measures must not be measured beside another's.
        self._opening = threading.Lock()

    def __len__(self) -> int:
        return len(self._idle) + self._lent.total()

    @property
    def default(self) -> str:
        return DEFAULT_MODEL if DEFAULT_MODEL in self._models else next(iter(self._models))

    def check_model(self, name: str | None) -> None:
        """``UnknownNameError`` for one that is not offered: clients open no files of this machine by name."""
        if name is not None and name not in self._models:
            raise UnknownNameError.among("model", name, list(self._models))

    @contextmanager
    def opened(self, request: Request, watcher: Watcher) -> Iterator[Upscaler]:
        """An upscaler for the caller alone; one that failed is closed, not lent again."""
        name = request.model if request.model in self._models else self.default
        request = dataclasses.replace(request, model=self._models[name or self.default])
        choice = request.network
        network = self._taken(choice, request, watcher)
        fit = False
        try:
            yield network
            fit = True
        except HARMLESS:
            fit = True
            raise
        finally:
            self._give_back(network, choice, fit)

    def close(self) -> None:
        """Closes those that nobody has."""
        with self._lock:
            idle, self._idle = list(self._idle), OrderedDict()
        for network in idle:
            network.close()

    def _taken(self, choice: NetworkChoice, request: Request, watcher: Watcher) -> Upscaler:
        with self._lock:
            self._lent[choice] += 1
            for network, its_choice in reversed(self._idle.items()):
                if its_choice == choice:
                    del self._idle[network]
                    return network
            surplus = self._surplus()
        try:
            for network in surplus:
                network.close()
            with self._opening:
                return open_network(request, watcher)
        except BaseException:
            with self._lock:
                self._lent[choice] -= 1
            raise

    def _surplus(self) -> list[Upscaler]:
        """Those to close so that no more than the limit are open; the longest idle first."""
        found = []
        while self._idle and len(self) > self._most:
            found.append(self._idle.popitem(last=False)[0])
        return found

    def _give_back(self, network: Upscaler, choice: NetworkChoice, fit: bool) -> None:
        with self._lock:
            self._lent[choice] -= 1
            if fit:
                self._idle[network] = choice
        if not fit:
            network.close()
