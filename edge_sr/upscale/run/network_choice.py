"""The network that a run asks for, and the one that is open: runs that follow one another share it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sr.upscaler import Upscaler


@dataclasses.dataclass(frozen=True)
class NetworkChoice:
    """A network by name, as far as it is settled; equal choices are served by one. Without ``threads``, all cores."""

    model: str
    backend: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    tta: bool = False
    retune: bool = False

    def open(self) -> Upscaler:
        """Raises what ``Upscaler`` raises; where ``auto`` has to measure, it takes many seconds."""
        from edge_sr.upscaler import Upscaler

        return Upscaler(
            self.model,
            backend=self.backend,
            precision=self.precision,
            threads=self.threads,
            tta=self.tta,
            retune=self.retune,
        )


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
