"""Who may ask: token, origin, host, and how often somebody may try or talk."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

TOKEN_BYTES = 18
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Bucket:
    """So many events a second on average, and ``burst`` of them at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._level, self._seen = float(burst), clock()

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
        self._seen = now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    @property
    def is_open(self) -> bool:
        return self._level + (self._clock() - self._seen) * self._rate >= 1


def page_token(host: str) -> str | None:
    """A new token for a page bound to ``host``; on loopback none is needed."""
    return None if is_loopback(host) else secrets.token_urlsafe(TOKEN_BYTES)


class Gate:
    """Lets in who has ``token``, or everybody where there is none.

    A page's token is exchanged, once, for a cookie that is not the token. ``host`` is what the server is bound to.
    Comparisons take the same time whatever is wrong.
    """

    def __init__(self, host: str, token: str | None) -> None:
        self._loopback = is_loopback(host)
        self.token = token
        self.cookie = secrets.token_urlsafe(TOKEN_BYTES)
        self._failures = Bucket(rate=0.5, burst=20)

    def admits_token(self, token: str) -> bool:
        """Guesses are slowed to one in two seconds for everybody; the right token always passes."""
        if self.token is None:
            return True
        right = _same(token, self.token)
        if not right:
            self._failures.take()
        return right

    @property
    def patient(self) -> bool:
        """False while too many wrong tokens have come."""
        return self._failures.is_open

    def admits_cookie(self, cookie: str) -> bool:
        return self.token is None or _same(cookie, self.cookie)

    def admits_host(self, host: str) -> bool:
        """On loopback only loopback's names: another one is a foreign page that rebound its name to us."""
        if not self._loopback:
            return True
        return is_loopback(urlsplit(f"//{host}").hostname or "") if _is_netloc(host) else False

    def admits_origin(self, origin: str | None, host: str) -> bool:
        """Browsers say which page speaks; only our own may. Other programs say nothing."""
        if origin is None:
            return True
        return _is_netloc(host) and _netloc(origin) == host.lower()


def _same(given: str, expected: str) -> bool:
    """Headers are bytes, and those that are not UTF-8 come as lone surrogates."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _is_netloc(text: str) -> bool:
    try:
        return (bool(text) and urlsplit(f"//{text}").port is not None) or bool(urlsplit(f"//{text}").hostname)
    except ValueError:
        return False


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
