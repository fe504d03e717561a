"""Sessions in forked processes: to destroy one, ONNX Runtime waits for its threads, which a fork does not have."""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any

_OPEN: weakref.WeakSet[Any] = weakref.WeakSet()


def kept_in_forks(session: Any) -> Any:
    """The session, which a process that is forked while it is open never destroys: it would wait for ever."""
    _OPEN.add(session)
    return session


def _keep() -> None:
    for session in tuple(_OPEN):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep)
