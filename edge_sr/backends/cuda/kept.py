"""What was measured and verified on this device, kept for the next run; where nothing can be kept, it is done again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError
from edge_sr.files.atomic import write_whole
from edge_sr.files.untrusted_json import read_json
from edge_sr.machine.cache import choices_folder

MOST_BYTES = 1 << 16


def kept_file(name: str) -> Path | None:
    folder = choices_folder()
    return None if folder is None else folder / name


def read_kept(path: Path | None) -> dict[str, Any]:
    """The content, or nothing where there is none or it is damaged."""
    try:
        found = {} if path is None else read_json(path, MOST_BYTES)
    except (OSError, ValueError, EdgeSRError):
        return {}
    return found if isinstance(found, dict) else {}


def keep(path: Path | None, content: object) -> None:
    if path is None:
        return
    with contextlib.suppress(OSError, EdgeSRError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(content, indent=1).encode())
