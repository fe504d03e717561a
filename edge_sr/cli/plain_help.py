"""Help in the words that people type: newer Typers show Python's types beside them, and braces around arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def speak_plainly(command: Any) -> None:
    """Has the help of a command, and of those below it, leave such things out."""
    given = command.get_params
    command.get_params = lambda ctx: plain(given(ctx))
    for below in getattr(command, "commands", {}).values():
        speak_plainly(below)


def plain(parameters: Sequence[Any]) -> Sequence[Any]:
    """The same parameters, the help's own option among them, which Typer makes for each help anew."""
    for one in parameters:
        # What their ranges and types are, their help says.
        one._get_number_range_help_str = _nothing
        if one.param_type_name == "argument":
            one.display_type_rich = _nothing
            one._usage_display_name = _in_usage(one)
        elif getattr(one, "is_flag", False):
            one.metavar = ""
    return parameters


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _in_usage(argument: Any) -> Any:
    name = argument.metavar or argument.name.upper()
    dots = "" if argument.nargs == 1 or name.endswith("...") else "..."
    return lambda: f"{name}{dots}" if argument.required else f"[{name}]{dots}"
