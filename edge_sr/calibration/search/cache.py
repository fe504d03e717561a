"""Losses that were measured already, on disk, so that an interrupted search goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sr.errors import OptionError
from edge_sr.files.atomic import write_whole
from edge_sr.files.untrusted_json import read_json


class SearchCache:
    """Results by name. ``key`` stands for everything they depend on: bundle, frames, recipe.

    Without ``resume`` an earlier file is written over. Raises ``OptionError`` when one to resume from was
    made with another key.
    """

    def __init__(self, path: Path, key: str, *, resume: bool) -> None:
        self.path, self.key = path, key
        self._results: dict[str, Any] = {}
        if resume and path.is_file():
            self._results = self._read()

    def __len__(self) -> int:
        return len(self._results)

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """The result of that name, measured now if it is not known; plain JSON values."""
        if name not in self._results:
            self._results[name] = measure()
            self._write()
        return self._results[name]

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            stored = read_json(self.path)
            results, key = dict(stored["results"]), stored["key"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OptionError(f"{self.path} is damaged: remove it, or leave out --resume") from error
        if key != self.key:
            raise OptionError(
                f"{self.path} was made with another bundle, recipe or frames: give the same, "
                "or leave out --resume"
            )
        return results

    def _write(self) -> None:
        write_whole(self.path, json.dumps({"key": self.key, "results": self._results}).encode())
