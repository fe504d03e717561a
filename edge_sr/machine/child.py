"""Python in a process of its own, on the same packages, and never on what lies in the current folder."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGES = str(Path(__file__).parents[2])


def python_child(code: str, *arguments: str) -> list[str]:
    """The command that runs ``code`` with ``arguments`` as ``sys.argv[1:]`` and with this process's ``sys.path``.

    With ``-c`` and ``-m`` Python would look in the current folder first: a ``numpy.py`` beside pictures would run.
    """
    path = [*filter(None, sys.path), PACKAGES]
    return [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}; {code}", *arguments]
