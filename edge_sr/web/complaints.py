"""What the web server complains of, told in a line now and then: strangers must not fill the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from edge_sr.web.authentication import Bucket

LINES_A_MINUTE, LINES_AT_ONCE = 2, 5


class Complaints(logging.Handler):
    """A log handler and a loop's exception handler that says at most a few lines, without a traceback."""

    def __init__(self, server: str, say: Callable[[str], None], bucket: Bucket | None = None) -> None:
        super().__init__(logging.WARNING)
        self._server, self._say = server, say
        self._bucket = bucket or Bucket(LINES_A_MINUTE / 60, LINES_AT_ONCE)
        self.untold = 0

    def logger(self) -> logging.Logger:
        """A logger of its own that ends here."""
        logger = logging.Logger(f"edge-sr {self._server}", logging.WARNING)
        logger.addHandler(self)
        return logger

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.tell(record.getMessage(), error)

    def of_loop(self, _: Any, context: dict[str, Any]) -> None:
        """For ``loop.set_exception_handler``."""
        self.tell(str(context.get("message", "")), context.get("exception"))

    def tell(self, what: str, error: BaseException | None = None) -> None:
        """Says it, unless too much was said of late; that is counted, and told with the next one."""
        if not self._bucket.take():
            self.untold += 1
            return
        reason = "" if error is None else f" ({_told(error)})"
        before = f"; {self.untold} more like it before" if self.untold else ""
        self.untold = 0
        self._say(" ".join(f"{self._server}: {what}{reason}{before}".split()))


def _told(error: BaseException) -> str:
    """The error in words, but aiohttp's own by name and status alone: they quote the request, token and all."""
    kind = type(error)
    if kind.__module__.partition(".")[0] == "aiohttp":
        return f"{kind.__name__}, status {getattr(error, 'code', 'unknown')}"
    return f"{kind.__name__}: {error}"
