"""The folder beside an output where its finished segments lie until they are muxed, and what made them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sr.errors import OptionError, OutputExistsError, OutputFolderError, ResourceError
from edge_sr.files.atomic import create_exclusively, fitting_name, write_whole, writing
from edge_sr.files.drafts import remove_dead_drafts
from edge_sr.files.durable import to_disk
from edge_sr.files.posix import NO_FOLLOWING, is_own_folder, try_lock
from edge_sr.video.encode.origin import SETTINGS, changes, note_origin
from edge_sr.video.encode.segments import (
    SEGMENT_NAME,
    Segment,
    finished_segments,
    present_segments,
    segment_name,
)

MARKER = "edge-sr-work-folder"
STATE = "state.json"
LOCK = "lock"
RESERVE = "reserve"
FINISHED = "muxed"
BESIDE = "beside.json"
CLUSTER = "cluster"
RESERVED_BYTES = 1 << 18
SCHEMA = 2
# What a state holds beside its schema, each a table.
PARTS = ("input", SETTINGS)
# Everything that a run puts into its folder; nothing else in it is ever deleted.
_OURS = re.compile(
    rf"({MARKER}|({STATE}|{BESIDE}|{CLUSTER})(\.new)?|{LOCK}|{RESERVE}|{FINISHED}|(unfinished|whole)(-[0-9a-f]+)?\.\w+"
    rf"|{SEGMENT_NAME})"
)


def folder_for(output: Path) -> Path:
    return output.with_name(fitting_name(output.name, ".part"))


def partial_for(output: Path) -> Path:
    """Where a playable film of what was made so far goes."""
    return output.with_name(fitting_name(output.stem, f".partial{output.suffix}"))


class WorkFolder:
    """The segments of one unfinished output, and the input and settings that they were made from.

    A folder is a run's only by the marker in it: any other of that name is refused with ``OptionError`` and left
    as it is, and so is one that is a link or another user's. Only one process may use it at a time.
    ``OptionError`` also says what differs when a run is to go on with other input or settings,
    ``OutputExistsError`` that unfinished work is in the way.
    """

    def __init__(self, output: Path) -> None:
        self.path = folder_for(output)
        self._lock: int | None = None

    @property
    def exists(self) -> bool:
        """Whether an earlier run is recorded, finished or not."""
        return self._is_ours() and _is_file(self.path / STATE)

    @property
    def is_finished(self) -> bool:
        """Whether the earlier run had muxed its segments."""
        return self.exists and _is_file(self.path / FINISHED)

    def recorded(self) -> dict[str, Any]:
        """The input and settings of the earlier run; empty when there is none."""
        if not self.exists:
            return {}
        try:
            state = json.loads((self.path / STATE).read_text())
            if isinstance(state, dict) and not all(isinstance(state.get(part, {}), dict) for part in PARTS):
                raise ValueError("it holds no tables")
        except (OSError, ValueError, RecursionError) as error:
            raise OptionError(
                f"{self.path / STATE} cannot be read: use --overwrite to begin again"
            ) from error
        return state if isinstance(state, dict) and state.get("schema") == SCHEMA else {}

    @property
    def settings(self) -> dict[str, Any]:
        """What the earlier run was made with; empty when there is none."""
        return dict(self.recorded().get(SETTINGS, {}))

    def open(self, state: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Makes the folder or goes on with it."""
        plain: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **state}))
        with writing(str(self.path)):
            self._enter()
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
            self._write(STATE, json.dumps(plain, indent=2))

    def segments(self) -> list[Segment]:
        """Those from the first on without a gap: what plays so far."""
        return finished_segments(self.path)

    def pieces(self) -> dict[int, Segment]:
        """All finished segments by number; a cluster makes them in any order."""
        return present_segments(self.path)

    def open_to_cluster(self) -> str:
        """Puts a new token into the folder and returns it: a node that finds it there sees the same folder."""
        token = secrets.token_hex(16)
        self._write(CLUSTER, token)
        return token

    def adopt(self, draft: Path, number: int, first_pts: int, end_pts: int) -> None:
        """Makes a draft in this folder, whole and on the disk, the finished segment ``number``."""
        draft.replace(self.path / segment_name(number, first_pts, end_pts, draft.suffix))
        to_disk(self.path)

    def reserve(self) -> None:
        """Sets room aside, as far as there is any, for closing what is on its way when the disk fills up."""
        try:
            self.release()
            create_exclusively(self.path / RESERVE, 0o600)
            (self.path / RESERVE).write_bytes(bytes(RESERVED_BYTES))
        except OSError:
            self.release()

    def release(self) -> None:
        (self.path / RESERVE).unlink(missing_ok=True)

    def finish(self, muxed: Path, output: Path) -> None:
        """Puts the muxed film in its place; a run that is killed from here on is known to be finished."""
        with writing(str(output)):
            (self.path / FINISHED).unlink(missing_ok=True)
            create_exclusively(self.path / FINISHED, 0o600)
            to_disk(self.path)
            note_origin(muxed, self.recorded())
            muxed.replace(output)
            to_disk(output.parent)

    def place_beside(self, wanted: Path) -> Path:
        """``wanted``, or a name like it that is free: files beside the output that this run did not make stay."""
        number, path = 1, wanted
        ours = self._beside()
        while path.name not in ours and os.path.lexists(path):
            number += 1
            path = wanted.with_name(fitting_name(wanted.stem, f"-{number}{wanted.suffix}"))
        self._write(BESIDE, json.dumps(sorted({*ours, path.name})))
        return path

    def remove(self) -> None:
        """Deletes what the run made, here and beside the output; the state goes first, so that nothing half deleted
        is gone on with, the marker last."""
        remove_dead_drafts(self.path.parent)
        for name in self._beside():
            (self.path.parent / name).unlink(missing_ok=True)
        self._empty()
        (self.path / BESIDE).unlink(missing_ok=True)
        self.close()
        left = {path.name for path in self.path.iterdir()} - {LOCK, MARKER}
        if not left:
            (self.path / LOCK).unlink(missing_ok=True)
            (self.path / MARKER).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def tidy(self) -> None:
        """Deletes what a finished run left behind, if anything."""
        if self._is_ours():
            self._take_lock()
            self.remove()
        elif self._is_bare():
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def _is_bare(self) -> bool:
        """Whether it is as a kill right before its very end leaves it: without a marker, which went last."""
        with contextlib.suppress(OSError):
            facts = os.lstat(self.path)
            return is_own_folder(facts) and stat.S_IMODE(facts.st_mode) == 0o700
        return False

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _write(self, name: str, text: str) -> None:
        """A file of the folder, which was there when the run began: ``ResourceError`` where it no longer is."""
        path = self.path / name
        try:
            write_whole(path, text.encode(), draft=path.with_name(f"{name}.new"), mode=0o600)
        except OutputFolderError as error:
            raise ResourceError(str(error)) from error

    def _beside(self) -> list[str]:
        """The files beside the output that this run made."""
        if not _is_file(self.path / BESIDE):
            return []
        with contextlib.suppress(ValueError, RecursionError):
            names = json.loads((self.path / BESIDE).read_text())
            if isinstance(names, list):
                return [name for name in names if isinstance(name, str) and Path(name).name == name]
        return []

    def _is_ours(self) -> bool:
        try:
            facts = os.lstat(self.path)
        except OSError:
            return False
        return is_own_folder(facts) and _is_file(self.path / MARKER)

    def _enter(self) -> None:
        """The folder, made if need be, marked and locked."""
        with contextlib.suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
        if not self._is_ours():
            # A kill just after it was made leaves it empty.
            if not stat.S_ISDIR(os.lstat(self.path).st_mode) or any(self.path.iterdir()):
                raise OptionError(
                    f"{self.path} is in the way and no work folder of edge-sr: move it, or choose another -o"
                )
            create_exclusively(self.path / MARKER, 0o600)
            to_disk(self.path)
            to_disk(self.path.parent)
        self._take_lock()

    def _compare(self, state: Mapping[str, Any]) -> None:
        found = changes(self.recorded(), state)
        if found:
            raise OptionError(
                f"--resume needs the earlier run's input and options, but {'; '.join(found)}: "
                "use the earlier ones, or --overwrite without --resume to begin again"
            )

    def _sweep(self) -> None:
        """Deletes what the earlier run left unfinished."""
        kept = {segment.path.name for segment in self.pieces().values()} | {STATE, LOCK, MARKER, BESIDE}
        self._delete(kept)

    def _empty(self) -> None:
        """Deletes the earlier run, all but its list of the files beside the output, which go when this one ends."""
        (self.path / STATE).unlink(missing_ok=True)
        self._delete({LOCK, MARKER, BESIDE})

    def _delete(self, kept: set[str]) -> None:
        for path in self.path.iterdir():
            if path.name not in kept and _OURS.fullmatch(path.name):
                path.unlink()

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        if (self.path / LOCK).is_symlink():
            raise OptionError(f"{self.path / LOCK} is a link, expected a file of edge-sr: remove it")
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | NO_FOLLOWING, 0o600)
        # Without locks nothing guards against two runs at once.
        taken = try_lock(self._lock)
        if not taken:
            self.close()
        if taken is False:
            raise OutputExistsError(f"another run is writing {self.path}: wait for it to end")


def _is_file(path: Path) -> bool:
    """A file itself, not what a link leads to."""
    return not path.is_symlink() and path.is_file()
