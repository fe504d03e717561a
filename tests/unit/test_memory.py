"""How much memory there is: what a container's control group leaves, page cache counted as free."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_sr.machine import control_groups, memory

MIB = 1 << 20


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


@pytest.fixture
def cgroup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "cgroup"
    monkeypatch.setattr(control_groups, "MOUNTED", folder)
    monkeypatch.setattr(control_groups, "OWN", tmp_path / "own")
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


def test_the_narrowest_of_the_groups_above_counts(cgroup: Path, tmp_path: Path) -> None:
    """As of a unit of systemd's in a slice; the top of all has no limit."""
    (tmp_path / "own").write_text("1:name=systemd:/x\n0::/some.slice/one.service\n")
    cgroup.mkdir()
    group(cgroup / "some.slice", memory__max=f"{300 * MIB}", memory__current="0", cpu__max="150000 100000")
    own = cgroup / "some.slice/one.service"
    group(own, memory__max=f"{900 * MIB}", memory__current="0", cpu__max="max 100000")
    assert memory.available_bytes() == 300 * MIB
    assert control_groups.cores_allowed() == 1
    (own / "memory.max").write_text(f"{200 * MIB}")
    assert memory.available_bytes() == 200 * MIB


@pytest.mark.parametrize(("quota", "allowed"), [("-1", None), ("50000", 1), ("300000", 3)])
def test_version_1_has_quotas_too(cgroup: Path, tmp_path: Path, quota: str, allowed: int | None) -> None:
    """In a container its path is the host's, and what it sees is its own group."""
    (tmp_path / "own").write_text("4:memory:/docker/f00\n3:cpu,cpuacct:/docker/f00\n")
    group(cgroup / "cpu", cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000")
    assert control_groups.cores_allowed() == allowed


@pytest.mark.parametrize("own", ["0::/../../else", "nothing", ""])
def test_a_place_that_cannot_be_followed_is_the_top(cgroup: Path, tmp_path: Path, own: str) -> None:
    (tmp_path / "own").write_text(own)
    group(cgroup, cpu__max="200000 100000")
    assert control_groups.cores_allowed() == 2


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
