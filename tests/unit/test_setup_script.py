"""``setup.sh``: what is set up again, and what is not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="setup.sh asks git what is new")


def run(clone: Path, script: str) -> str:
    done = subprocess.run(["sh", "-euc", script], cwd=clone, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "edge_sr").mkdir()
    (tmp_path / "edge_sr" / "part.py").write_text("one = 1\n")
    (tmp_path / "README.md").write_text("what it is\n")
    shutil.copy(ROOT / "setup.sh", tmp_path)
    who = "-c user.name=a -c user.email=a@example.org"
    run(tmp_path, f"git init -q . && git add -A && git {who} commit -qm one")
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
    run(clone, "git add -A && git -c user.name=a -c user.email=a@example.org commit -qm two")
    (clone / "edge_sr" / "part.py").write_text("one = 3\n")
    found.append(sources(clone))
    assert len(set(found)) == len(found)
