"""The folder of pieces: what it remembers, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.errors import OptionError, OutputExistsError, ResourceError
from edge_sr.video.encode.workfolder import WorkFolder, input_identity, partial_for, replacing

STATE = {"input": {"bytes": 5}, "settings": {"scale": "2", "codec options": {"crf": "18"}}}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "film.mkv"


def start(output: Path, *names: str) -> None:
    """An earlier run that left these files behind."""
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=False)
    for name in names:
        (work.path / name).write_bytes(b"x")
    work.close()


def test_unfinished_work_is_in_the_way_of_a_new_run(output: Path) -> None:
    start(output)
    with pytest.raises(OutputExistsError, match="--resume"):
        WorkFolder(output).open(STATE, resume=False, overwrite=False)


def test_going_on_keeps_whole_pieces_only(output: Path) -> None:
    start(output, "000000_0.mp4", "000001_99.mp4", "000003_300.mp4", "unfinished.mp4")
    work = WorkFolder(output)
    work.open(STATE, resume=True, overwrite=False)
    assert [(piece.index, piece.first_pts) for piece in work.segments()] == [(0, 0), (1, 99)]
    assert sorted(path.name for path in work.path.iterdir()) == [
        "000000_0.mp4",
        "000001_99.mp4",
        "lock",
        "state.json",
    ]
    work.close()


def test_overwriting_begins_again(output: Path) -> None:
    start(output, "000000_0.mp4")
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=True)
    assert work.segments() == []
    work.close()


def test_what_differs_is_said(output: Path) -> None:
    start(output)
    other = {"input": {"bytes": 6}, "settings": {"scale": "2", "codec options": {"crf": "20"}}}
    with pytest.raises(
        OptionError, match=r"input bytes was 5, now 6; settings codec options crf was 18, now 20"
    ):
        WorkFolder(output).open(other, resume=True, overwrite=False)


def test_two_runs_at_once_are_refused(output: Path) -> None:
    pytest.importorskip("fcntl")
    first = WorkFolder(output)
    first.open(STATE, resume=False, overwrite=False)
    with pytest.raises(OutputExistsError, match="another run"):
        WorkFolder(output).open(STATE, resume=True, overwrite=False)
    first.close()


def test_a_damaged_state_is_refused(output: Path) -> None:
    start(output)
    (WorkFolder(output).path / "state.json").write_text("{")
    with pytest.raises(OptionError, match="--overwrite"):
        WorkFolder(output).open(STATE, resume=True, overwrite=False)


def test_removing_leaves_nothing(output: Path) -> None:
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=False)
    work.remove()
    assert list(output.parent.iterdir()) == []


def test_inputs_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"a" * 3_000_000)
    before = input_identity(str(path))
    path.write_bytes(b"a" * 2_999_999 + b"b")
    after = input_identity(str(path))
    assert before["bytes"] == after["bytes"]
    assert before["sha256 of both ends"] != after["sha256 of both ends"]
    assert input_identity("https://example.org/film.mp4") == {"address": "https://example.org/film.mp4"}


def test_a_partial_film_has_its_own_name(output: Path) -> None:
    assert partial_for(output).name == "film.partial.mkv"


def test_replacing_is_all_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "picture.png"
    target.write_text("old")
    with pytest.raises(ResourceError), replacing(target) as temporary:
        temporary.write_text("half")
        raise OSError("gone")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    assert target.read_text() == "old"
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
