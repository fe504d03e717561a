"""Where a server listens."""

from __future__ import annotations

import dataclasses
import errno
import re

from edge_sr.errors import OptionError

HIGHEST_PORT = 65535
_PLACE = re.compile(r"(?:([^:\[\]]*|\[[^\[\]]+\]):)?([0-9]{1,5})")


@dataclasses.dataclass(frozen=True)
class Place:
    """Host and port; port 0 takes any that is free."""

    host: str
    port: int

    def refused(self, what: str, error: OSError, advice: str) -> OptionError:
        """The error that says why ``what`` cannot be served here."""
        reason = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        return OptionError(f"{what} cannot be served at {netloc(self.host, self.port)}: {reason}; {advice}")


def netloc(host: str, port: int) -> str:
    """Both as a URL has them, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_place(text: str, name: str) -> Place:
    """``[HOST:]PORT``, the host this machine alone when it is left out; ``OptionError``, which says ``name``."""
    found = _PLACE.fullmatch(text)
    if found is None or int(found[2]) > HIGHEST_PORT:
        raise OptionError(
            f"{name} must be PORT or HOST:PORT, such as 8080 or, with IPv6, [::1]:8080, found {text!r}"
        )
    return Place((found[1] or "").strip("[]") or "127.0.0.1", int(found[2]))
