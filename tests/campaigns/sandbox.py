"""A place for one case, and what must hold of it afterwards: nothing outside the output was touched."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from processes import Ended, Limits

ALLOWED = frozenset({0, 2, 3, 4, 5, 130})
PRECIOUS = b"nobody may touch this\n"


class Sandbox:
    """``given`` holds the input, ``out`` takes the output; the rest must stay as it is."""

    def __init__(self, folder: Path, caches: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("given", "out", "here", "home", "tmp", "precious"):
            (folder / name).mkdir(parents=True)
        (folder / "precious" / "file").write_bytes(PRECIOUS)
        self.given, self.out, self.here = folder / "given", folder / "out", folder / "here"
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "XDG_CACHE_HOME": str(caches),
            "LC_ALL": "C.UTF-8",
        }

    def seal(self) -> None:
        """What is given is complete: from here on it must not change."""
        self._before = self._outside()

    def faults(self, ended: Ended, limits: Limits, secrets: tuple[str, ...] = ()) -> list[str]:
        """Everything about a run that must not be."""
        found = [*_process_faults(ended, limits)]
        after = self._outside()
        changed = sorted({path for path, _ in self._before.items() ^ after.items()})
        if changed:
            found.append(f"touched outside the output: {', '.join(changed)}")
        shown = {"what was said": ended.out + ended.err, **self._texts()}
        for secret in secrets:
            found += [f"a secret stands in {place}" for place, text in shown.items() if secret in text]
        return found

    def _outside(self) -> dict[str, str]:
        """Every file but the output's, by its content."""
        return {
            str(path.relative_to(self.folder)): _digest(path)
            for path in self.folder.rglob("*")
            if self.out not in path.parents
        }

    def _texts(self) -> dict[str, str]:
        names = {f"the name {path.name}": path.name for path in self.out.rglob("*")}
        files = [path for path in self.out.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20]
        return {**names, **{path.name: path.read_bytes().decode("latin-1") for path in files}}


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"


def _process_faults(ended: Ended, limits: Limits) -> list[str]:
    found = []
    if ended.overdue:
        found.append(f"did not end within {limits.wall_seconds:.0f} s")
    elif ended.code not in ALLOWED:
        found.append(
            f"ended with {ended.code}: {(ended.err.strip().splitlines() or ['nothing said'])[-1][:300]}"
        )
    if "Traceback" in ended.out + ended.err:
        found.append("a traceback")
    if ended.peak_mb > limits.peak_mb:
        found.append(f"took {ended.peak_mb:.0f} MB, more than {limits.peak_mb:.0f}")
    lines = [line for line in ended.err.splitlines() if line.startswith("edge-sr: ")]
    if ended.code in (3, 4, 5) and len(lines) != 1:
        found.append(f"expected one line of error, found {len(lines)}: {ended.err[-300:]!r}")
    return found
