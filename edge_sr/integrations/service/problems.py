"""Errors as HTTP tells them: a status for each of the project's own, in the same words, as RFC 9457 writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from edge_sr import errors
from edge_sr.masking import masked

MEDIA_TYPE = "application/problem+json"
# The nearest ancestor in this table counts.
STATUSES: dict[type[BaseException], int] = {
    errors.OptionError: 400,
    errors.LifetimeError: 500,
    errors.OutputFolderError: 500,
    errors.MissingError: 501,
    errors.InputError: 422,
    errors.BundleError: 500,
    errors.ConfigError: 500,
    errors.ResourceError: 503,
    errors.DiskFullError: 507,
    errors.MemoryLimitError: 413,
    errors.InterruptedRun: 503,
    errors.EdgeSRError: 500,
}
TITLES = {
    400: "Bad or contradictory options",
    401: "Token needed",
    403: "Not from there",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    413: "Too large",
    415: "Neither a picture nor a film",
    422: "The upload cannot be upscaled",
    429: "Too many requests",
    500: "A fault of the service",
    501: "Something is not installed",
    503: "The service cannot do it now",
    504: "Out of time",
    507: "Out of disk space",
}
# The names of files that only the service knows.
UPLOAD, RESULT = "upload.body", "result"
_RESULT = re.compile(RESULT + r"\.[a-z]{2,4}\b")
_OPTION = re.compile(r"--(?=[a-z])")


class Refusal(Exception):
    """A request that is answered with ``status`` and a sentence; ``headers`` go with it."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


def status_of(error: BaseException) -> int:
    """The HTTP status for an error; 500 for what is none of the project's."""
    if isinstance(error, Refusal):
        return error.status
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def said_to_clients(error: BaseException, folder: Path | None) -> str:
    """The error's words: options by their names in a query, the upload's place on this machine by what it is.

    What is no error of the project's stays in the log.
    """
    if not isinstance(error, (Refusal, errors.EdgeSRError)):
        return "something unforeseen happened; the service's log says what"
    text = str(error) if folder is None else without_places(str(error), folder)
    return masked(_OPTION.sub("", " ".join(text.split())))


def without_places(text: str, folder: Path) -> str:
    """``text`` without the names of the service's own files and folders."""
    text = re.sub(re.escape(str(folder)) + r"(?:/[\w.-]+)*", "the upload", text)
    return _RESULT.sub("the result", text.replace(UPLOAD, "the upload"))


def problem(status: int, detail: str, kind: str = "") -> bytes:
    """The body of an answer that refuses."""
    about: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "Refused"),
        "status": status,
        "detail": detail,
    }
    if kind:
        about["error"] = kind
    return json.dumps(about).encode()
