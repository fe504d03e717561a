"""Where this user's caches lie: engines, and what was measured of the backends."""

from __future__ import annotations

import os
from pathlib import Path

from edge_sr.errors import OptionError


def engines_folder() -> Path:
    """``$EDGE_SR_CACHE``, else ``edge-sr/engines`` below the user's cache.

    ``OptionError`` where there is neither, as for a user without a home.
    """
    chosen = os.environ.get("EDGE_SR_CACHE")
    if chosen:
        return Path(chosen)
    base = _user_cache()
    if base is None:
        raise OptionError("this user has no home folder to keep engines in: set EDGE_SR_CACHE to a folder")
    return base / "edge-sr" / "engines"


def choices_folder() -> Path | None:
    """``$EDGE_SR_CACHE/choices``, else ``edge-sr/choices`` below the user's cache, if there is one."""
    chosen = os.environ.get("EDGE_SR_CACHE")
    base = _user_cache()
    if chosen:
        return Path(chosen) / "choices"
    return None if base is None else base / "edge-sr" / "choices"


def _user_cache() -> Path | None:
    """``$XDG_CACHE_HOME``, else ``~/.cache``; a relative one is none, so that no run writes where it stands."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base
    try:
        home = Path.home()
    except RuntimeError:  # HOME is unset and the system does not know the user
        return None
    return home / ".cache" if home.is_absolute() else None
