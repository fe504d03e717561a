"""What differs between an earlier run's input and settings and those of one that is to go on with it, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SETTINGS, MODEL = "settings", "model"
# One hash of the network's graphs.
NETWORK_FILES = "network's files"
_HASH = re.compile(r"[0-9a-f]{64}")


def changes(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One phrase for each leaf that differs; of another network its name is enough."""
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
