"""The network that a run settles on, and the one that a worker has open: tasks that follow one another share it."""

from __future__ import annotations

import dataclasses

from edge_sr.upscaler import Upscaler


@dataclasses.dataclass(frozen=True)
class NetworkChoice:
    """The network that a run computes with, as far as it is settled; ``threads`` of one piece."""

    model: str
    backend: str
    precision: str
    threads: int
    tta: bool = False
    retune: bool = False


_open: dict[NetworkChoice, Upscaler] = {}


def opened(choice: NetworkChoice) -> Upscaler:
    """The network, opened now unless the task before had the same."""
    if choice not in _open:
        forget()
        _open[choice] = Upscaler(
            choice.model,
            backend=choice.backend,
            precision=choice.precision,
            threads=choice.threads,
            tta=choice.tta,
        )
    return _open[choice]


def forget() -> None:
    """Closes what is open, as after an error that a device may be the cause of."""
    while _open:
        _open.popitem()[1].close()
