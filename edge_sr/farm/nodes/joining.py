"""Nodes that join while a film is made, looked at without making anybody wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# How often they are looked for, in seconds.
LOOK_SECONDS = 5.0


class JoiningNodes:
    """Has ``look`` run every so often, in a thread: a node takes half a minute to say what it has."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._looked = time.monotonic()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def look(self) -> None:
        """Begins the next look when it is time; raises what the one before ended with."""
        if self._thread is not None and self._thread.is_alive():
            return
        error, self._error = self._error, None
        if error is not None:
            raise error
        if time.monotonic() - self._looked > LOOK_SECONDS:
            # Nobody waits for it at the film's end, since a node may be lost while it is asked.
            self._thread = threading.Thread(target=self._guarded, name="joining nodes", daemon=True)
            self._thread.start()

    def _guarded(self) -> None:
        try:
            self._look()
        except Exception as error:
            self._error = error
        finally:
            self._looked = time.monotonic()
