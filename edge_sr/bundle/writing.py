"""Making a bundle's folder: it is there whole or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_sr.bundle.description import DESCRIPTION, Description
from edge_sr.errors import OutputExistsError, OutputFolderError
from edge_sr.files.config import to_mapping
from edge_sr.files.drafts import drafting_folder, takes_files


def write_description(folder: Path, description: Description) -> None:
    """Write ``bundle.json`` into a folder that is still being made."""
    table = _pruned(to_mapping(description))
    (folder / DESCRIPTION).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _pruned(table: Any) -> Any:
    if isinstance(table, Mapping):
        return {key: _pruned(value) for key, value in table.items() if value not in (None, {}, ())}
    if isinstance(table, (list, tuple)):
        return [_pruned(item) for item in table]
    return table


def check_new_folder(target: Path, *, overwrite: bool = False) -> Path:
    """Raise what ``new_folder`` would, before any work is done; the folder that ``target`` goes into."""
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists; name another folder or remove it first")
    parent = target.absolute().parent
    if not parent.is_dir() or not takes_files(parent):
        raise OutputFolderError(f"{parent} is not a folder one can write to")
    return parent


@contextlib.contextmanager
def new_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``target`` that becomes ``target`` when the block ends, and vanishes if it fails.

    Raises ``OutputExistsError`` when ``target`` is there, ``OutputFolderError`` when its parent is not writable.
    """
    check_new_folder(target, overwrite=overwrite)
    with drafting_folder(target) as draft:
        yield draft
