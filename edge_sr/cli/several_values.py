"""Options with ``...`` after their metavar take several words: ``--frames *.mp4`` as the shell spells it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

Kind = Literal["option", "value", "further", "argument"]


def spelled_out(command: Any, words: Sequence[str]) -> list[str]:
    """``words`` with such an option before each of its values: ``--frames a --frames b`` for ``--frames a b``.

    Where no other word is left to be the command's argument, the last value is that.
    """
    options = [one for one in command.params if one.param_type_name == "option"]
    several = {
        name for one in options if one.multiple and (one.metavar or "").endswith("...") for name in one.opts
    }
    if not several:
        return list(words)
    valued = {name for one in options if not one.is_flag for name in one.opts}
    told = list(_told(words, valued, several))
    further = [place for place, (_, kind, _) in enumerate(told) if kind == "further"]
    if further and not any(kind == "argument" for _, kind, _ in told):
        word, _, option = told[further[-1]]
        told[further[-1]] = (word, "argument", option)
    return [one for word, kind, option in told for one in ([option, word] if kind == "further" else [word])]


def _told(words: Sequence[str], valued: set[str], several: set[str]) -> Iterator[tuple[str, Kind, str]]:
    """Each word with what it is, and the option that it belongs to."""
    option, awaited, only_arguments = "", False, False
    for word in words:
        if awaited:
            awaited = False
            yield word, "value", option
        elif only_arguments or word == "-" or not word.startswith("-"):
            yield word, "further" if option in several else "argument", option
        else:
            option = word.partition("=")[0]
            only_arguments, awaited = word == "--", word in valued
            yield word, "option", option
