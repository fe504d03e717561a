"""How much memory there is: what a container's control group leaves, page cache counted as free."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_sr.machine import memory

MIB = 1 << 20


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


@pytest.fixture
def cgroup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "cgroup"
    monkeypatch.setattr(memory, "CGROUP", folder)
    monkeypatch.setattr(memory, "_system", lambda: 1 << 50)
    return folder


def test_files_that_were_read_do_not_count_as_taken(cgroup: Path) -> None:
    statistics = f"anon {100 * MIB}\nfile {3800 * MIB}\ninactive_file {3700 * MIB}"
    group(cgroup, memory__max=f"{4096 * MIB}", memory__current=f"{4000 * MIB}", memory__stat=statistics)
    assert memory.available_bytes() == (96 + 3700) * MIB


def test_version_1_of_control_groups_limits_too(cgroup: Path) -> None:
    files = {
        "memory__limit_in_bytes": f"{500 * MIB}",
        "memory__usage_in_bytes": f"{200 * MIB}",
        "memory__stat": f"inactive_file 1\ntotal_inactive_file {50 * MIB}",
    }
    group(cgroup / "memory", **files)
    assert memory.available_bytes() == 350 * MIB


@pytest.mark.parametrize("files", [{}, {"memory__max": "max", "memory__current": "1"}, {"memory__max": "?"}])
def test_without_a_limit_the_systems_own_figure_stands(cgroup: Path, files: dict[str, str]) -> None:
    group(cgroup, **files)
    assert memory.available_bytes() == 1 << 50


@pytest.mark.skipif(sys.platform == "win32", reason="nobody says there")
@pytest.mark.parametrize("text", ["Name:\tpython\n", None])
def test_the_peak_is_told_where_the_status_leaves_it_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    """As sandboxes and kernels without accounting of it do."""
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    if text is not None:
        (tmp_path / "status").write_text(text)
    assert (memory.peak_rss_mb() or 0) > 10


def test_more_than_the_limit_is_nothing_left(cgroup: Path) -> None:
    group(cgroup, memory__max="100", memory__current="200", memory__stat="")
    assert memory.available_bytes() == 0
