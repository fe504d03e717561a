"""Calls of cuda-bindings: their first result is a status, which becomes one of our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_sr.errors import DeviceError, MemoryLimitError
from edge_sr.machine.optional import require


def load_bindings(purpose: str) -> Any:
    """``cuda.bindings.driver``; ``MissingError`` where it is not installed."""
    return require("cuda.bindings.driver", purpose)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the call returns after its status: nothing, one result, or all of several.

    ``MemoryLimitError`` when the GPU is out of memory, ``DeviceError`` for every other failure.
    """
    status, *results = function(*arguments)
    if int(status) == 2:
        raise MemoryLimitError(f"the GPU is out of memory: {function.__name__}")
    if int(status):
        raise DeviceError(
            f"the GPU failed: {function.__name__} answers {status.name}; run the command again, a film with --resume"
        )
    if not results:
        return None
    return results[0] if len(results) == 1 else tuple(results)
