"""What must not be seen of an address: user names, passwords, tokens, queries and stream keys.

Every message, file, name and process title passes ``masked`` or ``starred``. An address that was given is also
remembered, so that its secrets are found in text that quotes it in part or in a form no pattern foresees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

HIDDEN = "…"
# Shorter words than this stand in innocent text too often to be taken out of it.
_LONG_ENOUGH = 4
_PATTERNS = (
    # Everything before the last @ may be part of a password; so may a space, unless it ends host and port.
    re.compile(r"://(?P<secret>\S*@)"),
    re.compile(r"://(?P<secret>(?![^/\s:@]*(?::\d+)?(?:[/?#\s'\",;]|$))[^\n]*?@)"),
    re.compile(r"://[^\s'\"<>?#]*(?P<secret>[?#][^\s'\"<>]+)"),
    # After the application's name comes the stream's key, which is a password.
    re.compile(r"(?i)\brtmp\w*://[^\s/'\"]+/[^\s/'\"]*(?P<secret>/[^\s'\"]+)"),
    re.compile(
        r"(?i)\b(?:user-?(?:id|pw|name)?|pass(?:word|phrase|wd)?|token|key|streamid|secret)\s*=\s*"
        r"(?P<secret>\"[^\"]*\"|'[^']*'|[^\s\"']+)"
    ),
)
_remembered: set[str] = set()
_disclosed: set[str] = set()


def remember(address: str) -> None:
    """Has the secrets of an address hidden from now on wherever they turn up."""
    _, separator, rest = address.partition("://")
    if not separator:
        return
    credentials, at, place = rest.rpartition("@")
    path, _, query = place.partition("?")
    found = [credentials, credentials.partition(":")[2]] if at else []
    found += [query, *(value.partition("=")[2] for value in query.split("&"))]
    if address.lower().startswith("rtmp"):
        found.append("/".join(path.split("/")[2:]))
    for secret in found:
        _remembered.update(form for form in (secret, unquote(secret)) if len(form) >= _LONG_ENOUGH)


def disclose(address: str) -> None:
    """Has an address of our own shown whole: its token is for whoever reads what the command says."""
    _disclosed.add(address)


def masked(text: str) -> str:
    """``text`` without the secrets in it; their place is taken by ``…`` where something would read odd without."""
    for start, end in reversed(list(_spans(text))):
        kept = "" if text[end - 1] == "@" or text[start] in "?#/" else HIDDEN
        text = text[:start] + kept + text[end:]
    return text


def starred(text: str) -> str:
    """``text`` at its own length, a ``*`` for each character of a secret."""
    for start, end in _spans(text):
        text = text[:start] + "*" * (end - start) + text[end:]
    return text


def masked_values(value: Any) -> Any:
    """The strings of nested lists, tuples (named ones too) and dictionaries masked."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: masked_values(inner) for key, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(masked_values, value))
    if isinstance(value, (list, tuple)):
        return type(value)(masked_values(inner) for inner in value)
    return value


def masked_report(facts: dict[str, Any]) -> dict[str, Any]:
    """``masked_values`` of a report, whose files keep their names, by which they are found: ``key=7/photo.png``."""
    files = {key: value for key, value in facts.items() if key in ("input", "output") and _is_file(value)}
    return {**masked_values(facts), **files}


def _is_file(value: object) -> bool:
    return isinstance(value, str) and "://" not in value


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the secrets are, in order, those that touch as one."""
    found = [match.span("secret") for pattern in _PATTERNS for match in pattern.finditer(text)]
    for secret in _remembered:
        found += [match.span() for match in re.finditer(re.escape(secret), text)]
    open_to_all = [match.span() for shown in _disclosed for match in re.finditer(re.escape(shown), text)]
    start, end = 0, 0
    for begins, ends in sorted(found):
        if any(first <= begins < last for first, last in open_to_all):
            continue
        if begins > end or not end:
            if end:
                yield start, end
            start, end = begins, ends
        end = max(end, ends)
    if end:
        yield start, end


class MaskedStream:
    """A text stream that masks what is written to it; everything else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(masked(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
