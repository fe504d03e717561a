"""What tells one input from another, so that a run never goes on with a film that is no longer the same."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_sr.masking import masked
from edge_sr.video.opening import is_opened_by_name
from edge_sr.video.protocols import files_of_list
from edge_sr.video.sequences import numbered_files

SAMPLE = 1 << 20


def input_identity(name: str, salt: str | None = None) -> dict[str, Any]:
    """Sizes and times of change of all the input's files, and a hash of the ends of the first and last.

    Of a list, a playlist for instance, those that it names count too. An address is recorded without its secrets, and
    told apart by a hash with a ``salt`` (by default a new one).
    """
    if files := list(numbered_files(name).values()):
        return {
            "pictures": len(files),
            "sizes and times": _facts(files),
            "sha256 of both ends": _digest(files),
        }
    if is_opened_by_name(name) or not Path(name).is_file():
        salt = salt or secrets.token_hex(16)
        digest = hmac.new(salt.encode(), name.encode("utf-8", "surrogateescape"), "sha256").hexdigest()
        return {"address": masked(name), "salt": salt, "address hash": digest}
    facts_of_file = Path(name).stat()
    listed = files_of_list(Path(name))
    return {
        **({"files of the list": _facts(listed)} if listed else {}),
        "bytes": facts_of_file.st_size,
        "changed": facts_of_file.st_mtime_ns,
        "sha256 of both ends": _digest([Path(name)]),
    }


def _facts(files: Sequence[Path]) -> str:
    """One digest of every file's name, size and time of change."""
    facts = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()


def _digest(files: Sequence[Path]) -> str:
    """Of the first MiB of the first file and the last MiB of the last."""
    digest = hashlib.sha256()
    with files[0].open("rb") as first:
        digest.update(first.read(SAMPLE))
    with files[-1].open("rb") as last:
        last.seek(max(0, files[-1].stat().st_size - SAMPLE))
        digest.update(last.read(SAMPLE))
    return digest.hexdigest()
