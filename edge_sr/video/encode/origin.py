"""What a film was made of and with, noted on the finished file itself: it outlives the work folder, and says nothing to
players. A copy, or a file system without notes, has none."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sr.files.posix import read_note, write_note
from edge_sr.video.encode.changes import SETTINGS

NOTE = "edge-sr"
# What stays true of an input that is copied, and tells nobody where it came from.
OF_INPUT = ("bytes", "pictures", "sha256 of both ends")


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
