"""What was measured and verified on this device, kept for the next run; where nothing can be kept, it is done again."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError
from edge_sr.files.atomic import write_whole
from edge_sr.files.untrusted_json import read_json
from edge_sr.machine.cache import choices_folder

MOST_BYTES = 1 << 16


def kept_file(identity: object, kind: str = "") -> Path | None:
    """Where what depends on all of ``identity``, JSON's kinds of values, is kept; None where nothing can be."""
    folder = choices_folder()
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:24]
    return None if folder is None else folder / f"{kind}{digest}.json"


def read_kept(path: Path | None) -> dict[str, Any]:
    """The content, or nothing where there is none or it is damaged."""
    try:
        found = {} if path is None else read_json(path, MOST_BYTES)
    except (OSError, ValueError, EdgeSRError):
        return {}
    return found if isinstance(found, dict) else {}


def kept_times(content: dict[str, Any]) -> dict[str, float]:
    """The content's ``milliseconds`` by name; none where there are none or they are damaged."""
    try:
        times = {str(name): float(spent) for name, spent in content["milliseconds"].items()}
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return {}
    return times if all(map(math.isfinite, times.values())) else {}


def keep(path: Path | None, content: object) -> bool:
    """Whether it could be kept."""
    if path is None:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(content, indent=1).encode())
    except (OSError, EdgeSRError):
        return False
    return True
