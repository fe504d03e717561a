"""Files that TensorRT reads beside an engine: their SHA-256 goes first, so that a damaged one is not read at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge_sr.engines.store.folder import write_private
from edge_sr.files.untrusted_json import read_regular

_LENGTH = hashlib.sha256().digest_size


def write_sealed(path: Path, data: bytes, owner: str) -> None:
    """Keep ``data`` for ``owner``: the engine, or the GPU and release, that it was made for."""
    write_private(path, _seal(data, owner) + data)


def read_sealed(path: Path, owner: str) -> bytes:
    """What was kept, or nothing when the file is absent, damaged or another's: all of it can be made again."""
    try:
        content = read_regular(path)
    except OSError:
        return b""
    data = content[_LENGTH:]
    return data if content[:_LENGTH] == _seal(data, owner) else b""


def _seal(data: bytes, owner: str) -> bytes:
    return hashlib.sha256(owner.encode() + b"\0" + data).digest()
