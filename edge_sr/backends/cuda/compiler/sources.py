"""The kernels' sources, which come with the package."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


def sources_folder() -> Path:
    installed = Path(__file__).with_name("kernels")
    return installed if installed.is_dir() else Path(__file__).parents[4] / "cuda" / "kernels"


@functools.cache
def read_sources() -> dict[str, bytes]:
    """Every file by its name."""
    return {path.name: path.read_bytes() for path in sorted(sources_folder().iterdir()) if path.is_file()}


@functools.cache
def sources_digest() -> str:
    """What images depend on, besides their form, target and compiler."""
    digest = hashlib.sha256()
    for name, text in read_sources().items():
        digest.update(name.encode() + b"\0" + text + b"\0")
    return digest.hexdigest()[:16]
