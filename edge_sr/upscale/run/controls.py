"""The caller's hands on a run."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

from edge_sr.upscale.run.networks import Networks, NetworkSource
from edge_sr.upscale.run.watcher import Silent, Watcher

if TYPE_CHECKING:
    from edge_sr.upscale.making.maker import Makers


@dataclasses.dataclass(frozen=True)
class Controls:
    """``stop`` ends the run after the current frame; ``makers`` make films' segments, by default this process with what
    ``networks`` opens."""

    watcher: Watcher = dataclasses.field(default_factory=Silent)
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)
    makers: Makers | None = None
    networks: NetworkSource = dataclasses.field(default_factory=Networks)

    @property
    def films_at_once(self) -> int:
        """Films that keep the makers busy."""
        return 1 if self.makers is None else self.makers.films_at_once
