"""The open network of a worker process: tasks that follow one another share it."""

from __future__ import annotations

from edge_sr.farm.nodes.trial import NetworkChoice
from edge_sr.upscaler import Upscaler

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
