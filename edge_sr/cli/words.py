"""The command line's words again, as a line that a person can paste."""

from __future__ import annotations

import shlex


def command_to_go_on(arguments: list[str]) -> str:
    """The command line that goes on with this run, quoted for a shell.

    ``arguments`` are those that the run was started with, without the program's name.
    """
    more = [] if "--resume" in arguments else ["--resume"]
    return shlex.join(["edge-sr", *arguments, *more])
