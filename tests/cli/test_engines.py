"""``edge-sr engines``: listing, showing, verifying and pruning what was built."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sr.engines.interface.loader import Flavour, installed_version

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.skipif(
        installed_version(Flavour.RTX) is None,
        reason="needs TensorRT for RTX: pip install 'edge-sr[tensorrt-rtx]'",
    ),
    # One worker builds the engines and runs all of their tests.
    pytest.mark.xdist_group("built engines"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the encoder and the decoder of one bundle."""
    folder = tmp_path_factory.mktemp("cache") / "engines"
    done = run(folder, "build", "diinn-nano", "--target", "rtx-40", "--sizes", "64x48")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def cache(built: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    folder = tmp_path / "engines"
    folder.mkdir(mode=0o700)
    for file in built.glob("*.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    import os

    environment = {**os.environ, "EDGE_SR_CACHE": str(folder)}
    command = [sys.executable, "-m", "edge_sr", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def answer(folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = run(folder, "engines", *words, "--json")
    assert done.returncode == code, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def damage(folder: Path, part: str) -> Path:
    file = next(folder.glob(f"*.{part}.*.engine"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    return file


def test_list_has_the_keys_that_build_has(built: Path) -> None:
    engines = answer(built, "list")["engines"]
    assert sorted(engine["part"] for engine in engines) == ["decoder", "encoder"]
    for engine in engines:
        assert {"name", "part", "target", "flavour", "version", "precision", "bytes", "path"} <= set(engine)
        assert (engine["sizes"], engine["for"]) == (["64x48"], "gpu")
    table = run(built, "engines", "list").stdout.splitlines()
    assert len(table) == 3 and all("64x48" in line for line in table[1:])


def test_an_empty_cache_lists_nothing(tmp_path: Path) -> None:
    assert answer(tmp_path / "none", "list") == {"engines": []}
    done = run(tmp_path / "none", "engines", "list")
    assert (done.returncode, done.stdout) == (0, "") and "edge-sr build" in done.stderr


def test_list_leaves_damaged_engines_out_and_names_them(cache: Path) -> None:
    file = damage(cache, "encoder")
    done = run(cache, "engines", "list")
    assert done.returncode == 0
    assert file.name in done.stderr and file.stem not in done.stdout


def test_show_gives_every_input_of_the_build(built: Path) -> None:
    shown = answer(built, "show", "encoder")
    key = shown["manifest"]["key"]
    assert key["compute_capabilities"] == ["8.9"] and key["profiles"][0]["image"]["maximum"] == [1, 48, 64, 3]
    text = run(built, "engines", "show", shown["path"][-15:-7]).stdout
    assert "compute_capabilities: 8.9\n" in text and "profile 1: frames 64x48\n" in text
    assert not re.search(r"[('{}]|None", text.partition("\n")[2])


@pytest.mark.parametrize("name, message", [("nothing", "no engine has"), ("nano", "2 engines have")])
def test_show_asks_for_a_name_that_fits_one(built: Path, name: str, message: str) -> None:
    done = run(built, "engines", "show", name)
    assert done.returncode == 2 and message in done.stderr
    assert all(file.stem in done.stderr for file in built.glob("*.engine") if name in file.stem)


def test_verify_finds_what_is_damaged_and_ends_with_5(cache: Path) -> None:
    assert answer(cache, "verify") == {"checked": 2, "damaged": []}
    file = damage(cache, "decoder")
    found = answer(cache, "verify", code=5)["damaged"]
    assert [item["path"] for item in found] == [str(file)]


def test_prune_removes_the_damaged_and_only_those(cache: Path) -> None:
    damage(cache, "decoder")
    planned = answer(cache, "prune", "--dry-run")
    assert len(planned["removed"]) == 1 and planned["dry_run"]
    removed = answer(cache, "prune")
    assert removed["bytes"] >= planned["bytes"] > 0
    assert [engine["part"] for engine in answer(cache, "list")["engines"]] == ["encoder"]


def test_prune_down_to_a_size(cache: Path) -> None:
    assert len(answer(cache, "prune", "--keep-mib", "0")["removed"]) == 2
    assert answer(cache, "list") == {"engines": []}


def test_prune_refuses_a_negative_limit(cache: Path) -> None:
    for days in ("-1", "nan"):
        assert run(cache, "engines", "prune", "--older-than", days).returncode == 2
