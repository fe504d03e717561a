"""The engine cache hands out the bytes that were built, or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge_sr.engines.build.timing_cache import TimingCache
from edge_sr.engines.store.identity import BuildSettings, EngineKey, EngineManifest, Proof, ShapeRange, Tensor
from edge_sr.engines.store.prune import Limits, prune
from edge_sr.engines.store.sealed import read_sealed, write_sealed
from edge_sr.engines.store.store import SCHEMA, EngineFile, EngineStore
from edge_sr.errors import EngineError, OptionError, OutputFolderError
from edge_sr.machine.cache import choices_folder, engines_folder

DATA = random.Random(7).randbytes(3000)
SHAPE = ShapeRange((1, 8, 8, 3), (1, 16, 16, 3), (1, 16, 16, 3))
KEY = EngineKey(
    bundle="tiny",
    part="encoder",
    io="uint8",
    precision="fp16",
    graph_sha256="ab" * 32,
    target="rtx-40",
    flavour="tensorrt-rtx",
    version="1.0",
    gpu="",
    compute_capabilities=("8.9",),
    profiles=({"image": SHAPE},),
    settings=BuildSettings(compute_capabilities=("8.9",)),
)


def manifest(key: EngineKey = KEY, data: bytes = DATA) -> EngineManifest:
    tensors = (Tensor("image", (1, -1, -1, 3), "uint8"),)
    checksum = hashlib.sha256(data).hexdigest()
    return EngineManifest(
        SCHEMA, key, checksum, len(data), 0.5, tensors, tensors, "2026-01-01T00:00:00+00:00"
    )


@pytest.fixture
def cache(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


@pytest.fixture
def engine(cache: EngineStore) -> EngineFile:
    return cache.store(manifest(), DATA, "log\n")


def test_what_was_stored_is_found(cache: EngineStore, engine: EngineFile) -> None:
    found = cache.find(KEY)
    assert found == engine
    assert found is not None and found.read() == DATA
    assert engine.path.with_suffix(".log").read_text() == "log\n"


@pytest.mark.parametrize("suffix", [".engine", ".json"])
def test_a_thousand_flipped_bits_never_load_a_wrong_engine(
    cache: EngineStore, engine: EngineFile, suffix: str
) -> None:
    file, dice = engine.path.with_suffix(suffix), random.Random(suffix)
    sound = file.read_bytes()
    for _ in range(500):
        torn = bytearray(sound)
        torn[dice.randrange(len(torn))] ^= 1 << dice.randrange(8)
        file.write_bytes(torn)
        found = cache.find(KEY)
        assert found is None or found.read() == DATA


@pytest.mark.parametrize("suffix", [".engine", ".json"])
def test_cuts_and_additions_are_found(cache: EngineStore, engine: EngineFile, suffix: str) -> None:
    file = engine.path.with_suffix(suffix)
    sound = file.read_bytes()
    for length in random.Random(suffix).sample(range(len(sound)), 100):
        file.write_bytes(sound[:length])
        assert cache.find(KEY) is None
    file.write_bytes(sound + b"\0")
    assert cache.find(KEY) is None


def test_another_engine_under_this_name_is_found_out(cache: EngineStore, engine: EngineFile) -> None:
    other = dataclasses.replace(KEY, precision="fp32")
    foreign = cache.store(manifest(other, b"foreign"), b"foreign", "")
    for suffix in (".engine", ".json"):
        shutil.copy(foreign.path.with_suffix(suffix), engine.path.with_suffix(suffix))
    assert cache.find(KEY) is None
    with pytest.raises(EngineError, match="carries the manifest of"):
        cache.open(engine.path)


@pytest.mark.parametrize(
    "change",
    [
        {"graph_sha256": "cd" * 32},
        {"version": "1.1"},
        {"flavour": "tensorrt"},
        {"gpu": "NVIDIA L4"},
        {"compute_capabilities": ("8.6",)},
        {"profiles": ({"image": dataclasses.replace(SHAPE, maximum=(1, 32, 32, 3))},)},
        {"settings": BuildSettings(optimization_level=5)},
        {"io": "float"},
        {"part": "decoder"},
        {"bundle": "other"},
        {"target": "rtx-30"},
    ],
)
def test_every_input_of_a_build_is_in_the_name(
    cache: EngineStore, engine: EngineFile, change: dict[str, object]
) -> None:
    other = dataclasses.replace(KEY, **change)  # type: ignore[arg-type]
    assert other.name != engine.manifest.key.name
    assert cache.find(other) is None


def test_long_names_are_cut_and_told_apart(cache: EngineStore) -> None:
    keys = [dataclasses.replace(KEY, bundle="b" * 200 + end, target="t" * 200) for end in ("1", "2")]
    for key in keys:
        cache.store(manifest(key), DATA, "")
        assert cache.find(key) is not None
        assert cache.find(key).manifest.key == key  # type: ignore[union-attr]
    assert KEY.name.startswith("tiny.encoder.uint8.fp16.rtx-40.tensorrt-rtx1_0.sm8_9.")


def test_an_engine_without_its_manifest_is_not_used(cache: EngineStore, engine: EngineFile) -> None:
    engine.path.with_suffix(".json").unlink()
    assert cache.find(KEY) is None
    assert [reason for _, _, reason in cache.check()] != [""]


def test_a_manifest_of_another_schema_says_so(cache: EngineStore, engine: EngineFile) -> None:
    newer = dataclasses.replace(manifest(), schema=SCHEMA + 1)
    cache.store(newer, DATA, "")
    with pytest.raises(EngineError, match="schema"):
        cache.open(engine.path)


def test_the_proof_is_kept_in_the_manifest(cache: EngineStore, engine: EngineFile) -> None:
    proof = Proof(61.5, 1, 2.5, "GPU", "13.0", "tensorrt-rtx", "1.0", True)
    cache.keep_proof(engine, proof)
    found = cache.find(KEY)
    assert found is not None and found.manifest.proof == proof and found.read() == DATA
    # One that computes wrong pictures is there to be named, and not to be found: it is built again.
    cache.keep_proof(engine, dataclasses.replace(proof, passed=False))
    assert cache.find(KEY) is None and cache.open(engine.path).manifest.proof is not None


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o702])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(EngineError, match="others can write"):
        EngineStore(folder)


def test_a_folder_opened_to_others_later_is_refused_too(cache: EngineStore, engine: EngineFile) -> None:
    cache.folder.chmod(0o777)
    assert cache.find(KEY) is None
    with pytest.raises(EngineError, match="others can write"):
        cache.open(engine.path)


def test_a_folder_below_one_that_anybody_can_write_to_is_refused(tmp_path: Path) -> None:
    above = tmp_path / "above"
    (above / "cache").mkdir(parents=True, mode=0o700)
    above.chmod(0o777)
    with pytest.raises(EngineError, match="anyone can write"):
        EngineStore(above / "cache")


def test_a_new_folder_is_the_users_alone(tmp_path: Path) -> None:
    cache = EngineStore(tmp_path / "deep" / "engines")
    assert cache.folder.stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engines").write_text("")
    with pytest.raises(OutputFolderError, match="cannot be made"):
        EngineStore(tmp_path / "engines")


def test_prune_removes_the_damaged_and_frees_their_bytes(cache: EngineStore, engine: EngineFile) -> None:
    engine.path.write_bytes(b"torn")
    removed = prune(cache, Limits(stale=False))
    assert [removal.path for removal in removed] == [engine.path]
    assert sum(removal.bytes for removal in removed) > 4
    assert list(cache.folder.glob("tiny*")) == []


def test_a_log_that_is_no_engines_stays(cache: EngineStore) -> None:
    """The folder that EDGE_SR_CACHE names may hold others' files."""
    log = cache.folder / "service.log"
    log.write_text("line\n")
    assert cache.paths() == prune(cache, Limits()) == []
    assert log.exists()


@pytest.mark.parametrize("kind", [".engine.part", ".log", ".jit"])
def test_prune_removes_what_has_no_engine(cache: EngineStore, kind: str) -> None:
    """What a killed builder or a full disk left, or a process that ran an engine which was pruned meanwhile."""
    left = cache.folder / f"{KEY.name}{kind}"
    left.write_bytes(b"half an engine")
    for dry_run in (True, False):
        assert [removal.bytes for removal in prune(cache, Limits(), dry_run)] == [14]
    assert not left.exists()


def test_prune_leaves_what_is_being_built(cache: EngineStore, engine: EngineFile) -> None:
    engine.path.with_suffix(".json").unlink()
    with cache.lock(KEY.name):
        assert prune(cache, Limits()) == []
    assert len(prune(cache, Limits())) == 1


class BuiltMeanwhile(EngineStore):
    """Another process builds the engine in the moment before its lock is taken."""

    def lock(self, name: str, waiting: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        self.store(manifest(), DATA, "log\n")
        return super().lock(name, waiting)


@pytest.mark.parametrize("leave", [".engine.part", ".engine", ".json"])
def test_prune_leaves_what_was_built_since_it_looked(cache: EngineStore, leave: str) -> None:
    (cache.folder / f"{KEY.name}{leave}").write_bytes(b"half")
    assert prune(BuiltMeanwhile(cache.folder), Limits(stale=False)) == []
    assert cache.find(KEY) is not None


def test_prune_by_age_and_by_size(cache: EngineStore, engine: EngineFile) -> None:
    newer = dataclasses.replace(KEY, precision="fp32")
    kept = cache.store(manifest(newer), DATA, "")
    os.utime(engine.path, (0, 0))
    whole, kernels = Limits(keep_bytes=sum(cache.files(kept.path).values()), stale=False), kept.runtime_cache
    assert [r.path for r in prune(cache, whole, dry_run=True)] == [engine.path]
    kernels.write_bytes(b"compiled on this GPU")
    assert [r.path for r in prune(cache, whole, dry_run=True)] == [kept.path, engine.path]
    assert [r.path for r in prune(cache, Limits(older_than_days=30, stale=False))] == [engine.path]
    assert cache.find(newer) is not None


def test_prune_removes_engines_of_another_release(
    cache: EngineStore, engine: EngineFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine.path.exists()
    monkeypatch.setattr("edge_sr.engines.interface.loader.installed_version", lambda _: "2.0")
    assert [r.reason for r in prune(cache, Limits())] == ["built by tensorrt-rtx 1.0, installed is 2.0"]


def test_the_manifest_is_readable_json(engine: EngineFile) -> None:
    document = json.loads(engine.path.with_suffix(".json").read_text())
    assert document["manifest"]["key"]["precision"] == "fp16"


def test_a_sealed_file_is_read_whole_by_its_owner_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "kernels.jit"
    assert read_sealed(file, "engine") == b""
    write_sealed(file, DATA, "engine")
    assert read_sealed(file, "engine") == DATA
    assert read_sealed(file, "another") == b""
    sound = file.read_bytes()
    for position in range(0, len(sound), 97):
        file.write_bytes(sound[:position] + bytes([sound[position] ^ 1]) + sound[position + 1 :])
        assert read_sealed(file, "engine") == b""
        file.write_bytes(sound[:position])
        assert read_sealed(file, "engine") == b""


def test_timings_are_kept_for_one_gpu_and_release(tmp_path: Path) -> None:
    on_gpu = dataclasses.replace(KEY, gpu="NVIDIA L4", flavour="tensorrt")
    TimingCache(tmp_path, on_gpu).save(b"timings")
    assert TimingCache(tmp_path, dataclasses.replace(on_gpu, precision="fp32")).load() == b"timings"
    assert TimingCache(tmp_path, dataclasses.replace(on_gpu, version="2.0")).load() == b""
    assert TimingCache(tmp_path, dataclasses.replace(on_gpu, gpu="NVIDIA T4")).load() == b""


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"manifest": [], "sha256": ""}',
        "9" * 10_000,
        '{"manifest": {"schema": 1}}',
        "\0",
        "{}",
    ],
)
def test_one_bad_manifest_hides_no_other_engine(cache: EngineStore, engine: EngineFile, text: str) -> None:
    (cache.folder / "bad.json").write_text(text)
    (cache.folder / "bad.engine").write_bytes(DATA)
    found = {path.stem: reason for path, _, reason in cache.check()}
    assert found[engine.path.stem] == ""
    assert "manifest" in found["bad"]
    assert cache.find(KEY) == engine


def test_what_is_no_file_hides_no_engine_and_stays(cache: EngineStore, engine: EngineFile) -> None:
    os.mkfifo(cache.folder / "pipe.json")
    os.mkfifo(cache.folder / "pipe.engine")
    (cache.folder / "folder.engine").mkdir()
    (cache.folder / "folder.json").mkdir()
    assert [path.stem for path, _, reason in cache.check() if not reason] == [engine.path.stem]
    prune(cache, Limits(stale=False))
    assert (cache.folder / "folder.engine").is_dir()
    assert not (cache.folder / "pipe.engine").exists()
    assert cache.find(KEY) == engine


def test_a_cache_that_cannot_be_locked_is_still_read(cache: EngineStore, engine: EngineFile) -> None:
    shutil.rmtree(cache.folder / "locks")
    (cache.folder / "locks").write_text("")
    again = EngineStore(cache.folder)
    assert again.find(KEY) == engine
    assert not again.is_locked(KEY.name)
    with pytest.raises(OutputFolderError, match="EDGE_SR_CACHE"), again.lock(KEY.name):
        pass


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo])
def test_a_cache_that_is_no_folder_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "cache")
    with pytest.raises(OutputFolderError, match="EDGE_SR_CACHE"):
        EngineStore(tmp_path / "cache")


def test_without_a_home_the_cache_must_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("EDGE_SR_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert choices_folder() is None
    with pytest.raises(OptionError, match="EDGE_SR_CACHE"):
        EngineStore()
    monkeypatch.setattr(Path, "home", lambda: Path())
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert choices_folder() is None
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path))
    assert (engines_folder(), choices_folder()) == (tmp_path, tmp_path / "choices")
