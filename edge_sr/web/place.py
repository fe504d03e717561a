"""Where a server listens."""

from __future__ import annotations

import dataclasses
import errno

from edge_sr.errors import OptionError

HIGHEST_PORT = 65535


@dataclasses.dataclass(frozen=True)
class Place:
    """Host and port; port 0 takes any that is free."""

    host: str
    port: int

    def refused(self, what: str, error: OSError, advice: str) -> OptionError:
        """The error that says why ``what`` cannot be served here."""
        reason = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        return OptionError(f"{what} cannot be served at {self.host}:{self.port}: {reason}; {advice}")


def parse_place(text: str, name: str) -> Place:
    """``[HOST:]PORT``, the host this machine alone when it is left out; ``OptionError``, which says ``name``."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > HIGHEST_PORT:
        raise OptionError(f"{name} must be PORT or HOST:PORT, such as 8080, found {text!r}")
    return Place(host.strip("[]") or "127.0.0.1", int(port))
