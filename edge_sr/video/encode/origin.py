"""What a film is made of and with: told apart from what an earlier run had, and noted on the finished file itself.

The note outlives the work folder, and says nothing to players. A copy, or a file system without notes, has none.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sr.files.posix import read_note, write_note

NOTE = "edge-sr"
# What stays true of an input that is copied, and tells nobody where it came from.
OF_INPUT = ("bytes", "pictures", "sha256 of both ends")
SETTINGS, MODEL = "settings", "model"
# One hash of the network's graphs.
NETWORK_FILES = "network's files"
_HASH = re.compile(r"[0-9a-f]{64}")


def note_origin(film: Path, state: Mapping[str, Any]) -> None:
    """Notes a run's ``state``, as its work folder records it."""
    kept = {key: value for key, value in state.get("input", {}).items() if key in OF_INPUT}
    write_note(film, NOTE, json.dumps({"input": kept, SETTINGS: state.get(SETTINGS, {})}))


def noted_origin(film: Path) -> dict[str, Any]:
    """What is noted; empty where nothing is."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(read_note(film, NOTE) or "{}")
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if isinstance(value, dict)}
    return {}


def changes(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs of a run that is to go on with an ``earlier`` one: a phrase for each leaf, of networks the name."""
    told = _differences({**earlier, SETTINGS: None}, {**now, SETTINGS: None})
    old, new = earlier.get(SETTINGS) or {}, now.get(SETTINGS) or {}
    if old.get(MODEL) != new.get(MODEL):
        old, new = ({**part, NETWORK_FILES: None} for part in (old, new))
    return told + _differences(old, new)


def _differences(earlier: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in sorted({*earlier, *now}):
        old, new, name = earlier.get(key), now.get(key), prefix + key
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{name} ")
        elif old != new:
            found.append(_phrase(name, old, new))
    return found


def _phrase(name: str, old: Any, new: Any) -> str:
    if name == NETWORK_FILES:
        return f"the {name} changed"
    if all(_HASH.fullmatch(str(value)) for value in (old, new)):
        return f"{name} changed"
    return f"{name} was {_shown(old)}, now {_shown(new)}"


def _shown(value: Any) -> str:
    return "absent" if value is None else str(value)
