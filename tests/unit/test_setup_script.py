"""``setup.sh``: what is set up again, and what is not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(clone: Path, script: str) -> str:
    done = subprocess.run(["sh", "-euc", script], cwd=clone, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As a source archive unpacks too, without a history."""
    for name in run(ROOT, '. ./setup.sh; echo "$sources"').split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch() if "." in name else (tmp_path / name).mkdir()
    (tmp_path / "edge_sr" / "part.py").write_text("one = 1\n")
    (tmp_path / "README.md").write_text("what it is\n")
    shutil.copy(ROOT / "setup.sh", tmp_path)
    return tmp_path


def sources(clone: Path) -> str:
    return run(clone, ". ./setup.sh; sources_hash")


def test_a_film_or_a_page_in_the_clone_sets_nothing_up_again(clone: Path) -> None:
    before = sources(clone)
    (clone / "holiday.mp4").write_bytes(b"film")
    (clone / "README.md").write_text("what else it is\n")
    assert sources(clone) == before


def test_sources_that_are_new_or_changed_are_set_up_again(clone: Path) -> None:
    found = [sources(clone)]
    (clone / "edge_sr" / "part.py").write_text("one = 2\n")
    found.append(sources(clone))
    (clone / "edge_sr" / "other.py").write_text("two = 2\n")
    found.append(sources(clone))
    (clone / "edge_sr" / "other.py").rename(clone / "edge_sr" / "another.py")
    found.append(sources(clone))
    assert len(set(found)) == len(found)


def test_what_running_it_leaves_behind_sets_nothing_up_again(clone: Path) -> None:
    before = sources(clone)
    (clone / "edge_sr" / "__pycache__").mkdir()
    (clone / "edge_sr" / "__pycache__" / "part.pyc").write_bytes(b"compiled")
    assert sources(clone) == before


def test_the_demo_asks_for_its_film_before_it_sets_anything_up(clone: Path) -> None:
    shutil.copy(ROOT / "demo.sh", clone)
    done = subprocess.run(["sh", "demo.sh"], cwd=clone, capture_output=True, text=True)
    assert (done.returncode, (clone / ".venv").exists()) == (4, False)
    assert "bunny.mp4 is missing" in done.stderr
