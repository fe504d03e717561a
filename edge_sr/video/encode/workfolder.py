"""The folder beside an output where its finished pieces lie until they are joined, and what made them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sr.errors import OptionError, OutputExistsError
from edge_sr.video.encode.segments import Segment, finished_segments
from edge_sr.video.opening import is_url, writing

STATE = "state.json"
LOCK = "lock"
RESERVE = "reserve"
RESERVED_BYTES = 1 << 18
SCHEMA = 1
SAMPLE = 1 << 20


def folder_for(output: Path) -> Path:
    return output.with_name(output.name + ".part")


def partial_for(output: Path) -> Path:
    """Where a playable film of what was made so far goes."""
    return output.with_name(f"{output.stem}.partial{output.suffix}")


def input_identity(name: str) -> dict[str, Any]:
    """What tells one input from another: size, time of change, and a hash of the first and last MiB."""
    if is_url(name):
        return {"address": name}
    facts = Path(name).stat()
    digest = hashlib.sha256()
    with open(name, "rb") as file:
        digest.update(file.read(SAMPLE))
        file.seek(max(0, facts.st_size - SAMPLE))
        digest.update(file.read(SAMPLE))
    return {"bytes": facts.st_size, "changed": facts.st_mtime_ns, "sha256 of both ends": digest.hexdigest()}


class WorkFolder:
    """The pieces of one unfinished output, and the input and settings that they were made from.

    Only one process may use it at a time. ``OptionError`` says what differs when a run is to go on with other
    input or settings, ``OutputExistsError`` when unfinished work is in the way.
    """

    def __init__(self, output: Path) -> None:
        self.path = folder_for(output)
        self._lock: Any = None

    @property
    def exists(self) -> bool:
        return (self.path / STATE).is_file()

    def recorded(self) -> dict[str, Any]:
        """The settings of the earlier run; empty when there is none."""
        if not self.exists:
            return {}
        try:
            state = json.loads((self.path / STATE).read_text())
        except (OSError, ValueError) as error:
            raise OptionError(
                f"{self.path / STATE} cannot be read: use --overwrite to begin again"
            ) from error
        return state if isinstance(state, dict) and state.get("schema") == SCHEMA else {}

    def open(self, state: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Makes the folder or goes on with it."""
        plain: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **state}))
        if self.path.exists():
            self._take_lock()
            if resume and self.exists:
                self._compare(plain)
                self._sweep()
                return
            if self.exists and not overwrite:
                raise OutputExistsError(
                    f"{self.path} holds an unfinished run: "
                    "add --resume to go on with it, --overwrite to begin again"
                )
            self._empty()
        with writing(str(self.path)):
            self.path.mkdir(exist_ok=True)
            self._take_lock()
            temporary = self.path / (STATE + ".new")
            temporary.write_text(json.dumps(plain, indent=2))
            temporary.replace(self.path / STATE)

    def segments(self) -> list[Segment]:
        return finished_segments(self.path)

    def reserve(self) -> None:
        """Sets room aside, as far as there is any, for closing what is on its way when the disk fills up."""
        try:
            (self.path / RESERVE).write_bytes(bytes(RESERVED_BYTES))
        except OSError:
            self.release()

    def release(self) -> None:
        (self.path / RESERVE).unlink(missing_ok=True)

    def remove(self) -> None:
        """Deletes the folder; the state goes first, so that nothing half deleted is gone on with."""
        (self.path / STATE).unlink(missing_ok=True)
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _compare(self, state: Mapping[str, Any]) -> None:
        earlier = self.recorded()
        changes = _differences(earlier, state)
        if changes:
            raise OptionError(
                f"--resume needs the earlier run's input and options, but {'; '.join(changes)}: "
                "use the earlier ones, or --overwrite without --resume to begin again"
            )

    def _sweep(self) -> None:
        """Deletes what the earlier run left unfinished."""
        whole = {segment.path for segment in self.segments()} | {self.path / STATE, self.path / LOCK}
        for path in self.path.iterdir():
            if path not in whole:
                path.unlink()

    def _empty(self) -> None:
        (self.path / STATE).unlink(missing_ok=True)
        for path in self.path.iterdir():
            if path.name != LOCK:
                path.unlink()

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        try:
            import fcntl
        except ImportError:  # not a POSIX system: nothing guards against two runs at once
            return
        self._lock = open(self.path / LOCK, "w")  # noqa: SIM115
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise OutputExistsError(f"another run is writing {self.path}: wait for it to end") from error


def _differences(earlier: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One phrase for each leaf that differs."""
    changes: list[str] = []
    for key in sorted({*earlier, *now}):
        old, new = earlier.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _differences(old, new, f"{prefix}{key} ")
        elif old != new:
            changes.append(f"{prefix}{key} was {_shown(old)}, now {_shown(new)}")
    return changes


def _shown(value: Any) -> str:
    return "absent" if value is None else str(value)


@contextlib.contextmanager
def replacing(target: Path) -> Any:
    """Yields a temporary name beside ``target``; it becomes ``target`` when all went well, else it goes."""
    temporary = target.with_name(f".{target.name}.new{target.suffix}")
    try:
        with writing(str(target)):
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
