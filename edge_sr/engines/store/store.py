"""The engine store: engines under names made from all their inputs, manifest and log beside.

    NAME.engine   TensorRT's bytes
    NAME.json     the manifest, with a digest of itself and of the engine
    NAME.log      what the builder said
    NAME.jit      TensorRT for RTX only: kernels compiled on this device
    locks/        one file for each engine that was ever built

No byte reaches TensorRT before the manifest's digest, the engine's hash and the name have all been checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge_sr.engines.store.folder import open_folder, require_private, write_private
from edge_sr.engines.store.identity import EngineKey, EngineManifest, Proof, canonical, digest
from edge_sr.engines.store.locks import exclusive, is_held
from edge_sr.errors import ConfigError, EngineError
from edge_sr.files.config import from_mapping
from edge_sr.files.untrusted_json import read_json, read_regular
from edge_sr.machine.cache import engines_folder

SCHEMA = 2
MOST_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True)
class EngineFile:
    """One engine on disk, whose manifest has been checked; ``read`` checks and returns its bytes."""

    path: Path
    manifest: EngineManifest

    def read(self) -> bytes:
        """The engine's bytes, hashed; ``EngineError`` when they are not those that were built."""
        try:
            data = read_regular(self.path, self.manifest.bytes + 1)
        except OSError as error:
            raise EngineError(f"engine {self.path} cannot be read: {error.strerror}; {_REBUILD}") from error
        if len(data) != self.manifest.bytes or hashlib.sha256(data).hexdigest() != self.manifest.sha256:
            raise EngineError(f"engine {self.path} is not what was built (hash or length differ); {_REBUILD}")
        return data

    def note_use(self) -> None:
        """What was used last is pruned last."""
        with contextlib.suppress(OSError):
            os.utime(self.path)

    @property
    def runtime_cache(self) -> Path:
        return self.path.with_suffix(".jit")


# The manifest goes first: what is left of an engine without it is none.
_KINDS = (".json", ".engine", ".log", ".jit")
# As ``EngineKey.name``: the folder that EDGE_SR_CACHE names may hold logs of others.
_NAMED = re.compile(r"\.[0-9a-f]{20}$").search
_REBUILD = "edge-sr build makes it again, edge-sr engines prune removes it"


class EngineStore:
    """The store in one folder; raises ``EngineError`` when the folder is open to others."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = open_folder(folder or engines_folder())
        with contextlib.suppress(OSError):  # what lies in a folder that cannot be written is still of use
            (self.folder / "locks").mkdir(mode=0o700, exist_ok=True)

    def path(self, key: EngineKey) -> Path:
        return self.folder / f"{key.name}.engine"

    def lock(self, name: str, waiting: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        return exclusive(self.folder / "locks" / f"{name}.lock", waiting)

    def is_locked(self, name: str) -> bool:
        """Whether another process is building that engine now."""
        return is_held(self.folder / "locks" / f"{name}.lock")

    def find(self, key: EngineKey) -> EngineFile | None:
        """The sound engine for exactly these inputs, or ``None``: what is absent, damaged, or was seen to compute
        wrong pictures is built again."""
        path = self.path(key)
        try:
            engine = self.open(path)
            engine.read()
        except EngineError:
            return None
        engine.note_use()
        proof = engine.manifest.proof
        wanted = engine.manifest.key == key and (proof is None or proof.passed)
        return engine if wanted else None

    def open(self, path: Path) -> EngineFile:
        """The engine whose file is ``path``; ``EngineError`` says what is wrong with its manifest."""
        require_private(self.folder)
        manifest = read_manifest(path.with_suffix(".json"))
        if manifest.key.name != path.stem:
            raise EngineError(f"engine {path} carries the manifest of {manifest.key.name}; {_REBUILD}")
        return EngineFile(path, manifest)

    def store(self, manifest: EngineManifest, data: bytes, log: str) -> EngineFile:
        """Put an engine in place: engine and log first, the manifest last, so that a torn one has none."""
        path = self.path(manifest.key)
        path.with_suffix(".json").unlink(missing_ok=True)
        write_private(path.with_suffix(".log"), log.encode())
        write_private(path, data)
        write_manifest(path.with_suffix(".json"), manifest)
        return EngineFile(path, manifest)

    def keep_proof(self, engine: EngineFile, proof: Proof) -> EngineFile:
        """Keep what the engine's first runs on this device came to."""
        manifest = replace(engine.manifest, proof=proof)
        write_manifest(engine.path.with_suffix(".json"), manifest)
        return EngineFile(engine.path, manifest)

    def paths(self) -> list[Path]:
        """Every engine file, sound or not, and the place of every one of which only something else is there: of a build
        that was killed or had no room, or of an engine that was removed while it ran."""
        whole = [path for kind in ("*.engine", "*.json") for path in self.folder.glob(kind)]
        whole += [path for kind in ("*.log", "*.jit") for path in self.folder.glob(kind) if _NAMED(path.stem)]
        unfinished = [
            path.with_suffix("") for path in self.folder.glob("*.part") if ".timing" not in path.name
        ]
        return sorted({path.with_suffix(".engine") for path in (*whole, *unfinished)})

    def check(self) -> Iterator[tuple[Path, EngineFile | None, str]]:
        """Each engine with what is wrong with it, empty when sound."""
        for path in self.paths():
            try:
                engine = self.open(path)
                engine.read()
                yield path, engine, ""
            except EngineError as error:
                yield path, None, str(error)

    def files(self, path: Path) -> dict[Path, int]:
        """An engine and what lies beside it, with their bytes."""
        files = (path.with_name(path.stem + kind + part) for kind in _KINDS for part in ("", ".part"))
        return {file: file.stat().st_size for file in files if file.is_file() or file.is_fifo()}

    def remove(self, path: Path) -> int:
        """Delete an engine and what lies beside it; the bytes freed."""
        found = self.files(path)
        for file in found:
            file.unlink()
        return sum(found.values())


def write_manifest(path: Path, manifest: EngineManifest) -> None:
    body = json.loads(canonical(asdict(manifest)))
    write_private(path, json.dumps({"manifest": body, "sha256": digest(body)}, indent=1).encode())


def read_manifest(path: Path) -> EngineManifest:
    """A manifest whose own digest fits; ``EngineError`` otherwise."""
    try:
        document = read_json(path, MOST_MANIFEST_BYTES)
        body, stated = document["manifest"], document["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"manifest {path} is absent or unreadable; {_REBUILD}") from error
    if not isinstance(body, dict) or digest(body) != stated:
        raise EngineError(f"manifest {path} was changed after it was written; {_REBUILD}")
    if body.get("schema") != SCHEMA:
        raise EngineError(f"manifest {path} has schema {body.get('schema')}, expected {SCHEMA}; {_REBUILD}")
    try:
        return from_mapping(EngineManifest, body, str(path))
    except ConfigError as error:
        raise EngineError(f"manifest {path} is not one of ours: {error}; {_REBUILD}") from error
