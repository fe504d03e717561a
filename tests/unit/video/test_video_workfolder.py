"""The folder of segments: what it remembers, and what it refuses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sr.errors import OptionError, OutputExistsError, ResourceError
from edge_sr.files.atomic import replacing
from edge_sr.video.encode.segments import gaps
from edge_sr.video.encode.workfolder import MARKER, WorkFolder, folder_for, partial_for
from edge_sr.video.film.identity import input_identity

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
    start(
        output,
        "000000_0_99.mp4",
        "000001_99_198.mp4",
        "000003_300_400.mp4",
        "unfinished.mp4",
        "unfinished-5a.mp4",
    )
    work = WorkFolder(output)
    work.open(STATE, resume=True, overwrite=False)
    assert [(segment.index, segment.first_pts) for segment in work.segments()] == [(0, 0), (1, 99)]
    assert sorted(work.pieces()) == [0, 1, 3]
    assert sorted(path.name for path in work.path.iterdir()) == [
        "000000_0_99.mp4",
        "000001_99_198.mp4",
        "000003_300_400.mp4",
        MARKER,
        "lock",
        "state.json",
    ]
    work.close()


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ((), [(0, None)]),
        ((0, 1), [(2, None)]),
        ((1, 4), [(0, 1), (2, 4), (5, None)]),
        ((0, 2), [(1, 2), (3, None)]),
    ],
)
def test_gaps(present: tuple[int, ...], missing: list[tuple[int, int | None]]) -> None:
    assert gaps(present) == missing


def test_overwriting_begins_again(output: Path) -> None:
    start(output, "000000_0_99.mp4")
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=True)
    assert work.segments() == []
    work.close()


def test_what_differs_is_said(output: Path) -> None:
    start(output)
    other = {"input": {"bytes": 6}, "settings": {"scale": "2", "codec options": {"crf": "20"}}}
    with pytest.raises(OptionError, match=r"but input bytes was 5, now 6; codec options crf was 18, now 20"):
        WorkFolder(output).open(other, resume=True, overwrite=False)


NETWORK = {"model": "diinn-nano", "network's files": "a" * 64}


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"model": "diinn-edge", "network's files": "b" * 64}, "but model was diinn-nano, now diinn-edge:"),
        ({**NETWORK, "network's files": "b" * 64}, "but the network's files changed:"),
        ({**NETWORK, "crf": 26}, "but crf was absent, now 26:"),
    ],
)
def test_another_network_is_told_by_its_name(output: Path, now: dict[str, object], says: str) -> None:
    earlier = WorkFolder(output)
    earlier.open({"settings": NETWORK}, resume=False, overwrite=False)
    earlier.close()
    with pytest.raises(OptionError, match=says):
        WorkFolder(output).open({"settings": now}, resume=True, overwrite=False)


def test_two_runs_at_once_are_refused(output: Path) -> None:
    pytest.importorskip("fcntl")
    first = WorkFolder(output)
    first.open(STATE, resume=False, overwrite=False)
    with pytest.raises(OutputExistsError, match="another run"):
        WorkFolder(output).open(STATE, resume=True, overwrite=False)
    first.close()


@pytest.mark.usefixtures("without_locks")
def test_a_file_system_without_locks_takes_a_film(output: Path) -> None:
    start(output, "000000_0_99.mp4")
    again = WorkFolder(output)
    again.open(STATE, resume=True, overwrite=False)
    assert len(again.segments()) == 1
    again.remove()
    assert not again.path.exists()


@pytest.mark.parametrize("step", ["_is_ours", "_take_lock", "_empty", "_write", "_sweep"])
def test_a_folder_that_goes_meanwhile_is_told_as_gone(
    output: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the run began, so that nobody gave a wrong place."""
    resume = step == "_sweep"
    if resume:
        start(output)
    own = getattr(WorkFolder, step)

    def vanish(work: WorkFolder, *given: str) -> object:
        shutil.rmtree(work.path)
        return own(work, *given)

    monkeypatch.setattr(WorkFolder, step, vanish)
    with pytest.raises(ResourceError, match="cannot be written"):
        WorkFolder(output).open(STATE, resume=resume, overwrite=False)


@pytest.mark.parametrize("text", ["{", '{"schema": 2, "settings": [1]}', '{"schema": 2, "input": 3}'])
def test_a_damaged_state_is_refused(output: Path, text: str) -> None:
    start(output)
    (WorkFolder(output).path / "state.json").write_text(text)
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


def test_an_address_is_told_apart_without_its_secrets() -> None:
    one = input_identity("https://u:sesame@example.org/film.mp4")
    assert one["address"] == "https://example.org/film.mp4"
    assert input_identity("https://u:sesame@example.org/film.mp4", one["salt"]) == one
    assert input_identity("https://u:barley@example.org/film.mp4", one["salt"]) != one


def test_every_picture_of_a_sequence_counts(tmp_path: Path) -> None:
    for index in (8, 9, 10, 11):
        (tmp_path / f"a{index}.png").write_bytes(b"picture")
    before = input_identity(str(tmp_path / "a%d.png"))
    assert before["pictures"] == 4
    (tmp_path / "a10.png").write_bytes(b"another")
    os.utime(tmp_path / "a10.png", ns=(0, 1))
    assert input_identity(str(tmp_path / "a%d.png")) != before


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder, links by what they lead to."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else ("" if path.is_dir() else path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


def strangers_folder(output: Path, _: Path) -> None:
    folder_for(output).mkdir()
    (folder_for(output) / "thesis.txt").write_text("years")


def link_to_a_folder(output: Path, precious: Path) -> None:
    folder_for(output).symlink_to(precious.parent)


def link_to_a_marked_folder(output: Path, precious: Path) -> None:
    (precious.parent / MARKER).touch()
    folder_for(output).symlink_to(precious.parent)


def lock_that_is_a_link(output: Path, precious: Path) -> None:
    folder_for(output).mkdir()
    (folder_for(output) / MARKER).touch()
    (folder_for(output) / "lock").symlink_to(precious)


def marker_that_is_a_link(output: Path, precious: Path) -> None:
    folder_for(output).mkdir()
    (folder_for(output) / MARKER).symlink_to(precious)


def a_file(output: Path, _: Path) -> None:
    folder_for(output).write_text("mine")


@pytest.mark.parametrize(
    "trap",
    [
        strangers_folder,
        link_to_a_folder,
        link_to_a_marked_folder,
        lock_that_is_a_link,
        marker_that_is_a_link,
        a_file,
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("resume", [False, True])
def test_what_is_not_ours_is_refused_and_untouched(
    tmp_path: Path, trap: Callable[[Path, Path], None], overwrite: bool, resume: bool
) -> None:
    precious = tmp_path / "precious" / "photo.raw"
    precious.parent.mkdir()
    precious.write_text("irreplaceable")
    output = tmp_path / "film.mkv"
    trap(output, precious)
    before = snapshot(tmp_path)
    with pytest.raises(OptionError):
        WorkFolder(output).open(STATE, resume=resume, overwrite=overwrite)
    assert snapshot(tmp_path) == before


def test_strangers_files_in_our_folder_stay(output: Path) -> None:
    start(output, "000000_0_99.mp4", "notes.txt")
    (folder_for(output) / "state.json.new").symlink_to(output.with_name("elsewhere"))
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=True)
    work.remove()
    assert sorted(path.name for path in folder_for(output).iterdir()) == [MARKER, "lock", "notes.txt"]
    assert not output.with_name("elsewhere").exists()
    WorkFolder(output).open(STATE, resume=False, overwrite=False)


def test_a_folder_from_a_kill_right_at_the_start_is_taken_over(output: Path) -> None:
    folder_for(output).mkdir()
    WorkFolder(output).open(STATE, resume=False, overwrite=False)
    assert WorkFolder(output).exists


def test_a_folder_from_a_kill_right_before_the_end_goes(output: Path) -> None:
    folder = folder_for(output)
    folder.mkdir(mode=0o700)
    WorkFolder(output).tidy()
    assert not folder.exists()


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_folder_that_somebody_uses_is_not_tidied(output: Path, mode: int) -> None:
    folder = folder_for(output)
    folder.mkdir(mode=mode)
    if mode == 0o700:
        (folder / "file").touch()
    WorkFolder(output).tidy()
    assert folder.exists()


def test_only_its_owner_can_look_into_it(output: Path) -> None:
    start(output)
    assert folder_for(output).stat().st_mode & 0o777 == 0o700
    assert (folder_for(output) / "state.json").stat().st_mode & 0o777 == 0o600


def test_long_names_are_cut_and_stay_apart(tmp_path: Path) -> None:
    one, other = (tmp_path / ("ä" * 123 + letter + ".mkv") for letter in "xy")
    for output in (one, other):
        start(output)
        partial_for(output).touch()
    assert folder_for(one) != folder_for(other)
    assert partial_for(one) != partial_for(other)


def test_files_beside_the_output_that_are_not_ours_stay(output: Path) -> None:
    partial_for(output).write_text("mine")
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=False)
    placed = work.place_beside(partial_for(output))
    placed.write_text("the run's")
    assert work.place_beside(partial_for(output)) == placed != partial_for(output)
    work.remove()
    assert [path.name for path in output.parent.iterdir()] == [partial_for(output).name]


def test_beginning_again_knows_the_files_beside_the_output(output: Path) -> None:
    abandoned = WorkFolder(output)
    abandoned.open(STATE, resume=False, overwrite=False)
    abandoned.place_beside(partial_for(output)).write_text("the abandoned run's")
    abandoned.close()
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=True)
    assert work.place_beside(partial_for(output)) == partial_for(output)
    work.remove()
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("text", ["[1, null]", '"film"', "3", "[" * 100_000])
def test_a_damaged_list_of_files_beside_the_output_names_none(output: Path, text: str) -> None:
    work = WorkFolder(output)
    work.open(STATE, resume=False, overwrite=False)
    (work.path / "beside.json").write_text(text)
    (output.parent / "f").touch()
    work.remove()
    assert [path.name for path in output.parent.iterdir()] == ["f"]


def test_a_partial_film_has_its_own_name(output: Path) -> None:
    assert partial_for(output).name == "film.partial.mkv"


def test_replacing_is_all_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "picture.png"
    target.write_text("old")
    (tmp_path / ".picture.png.new.png").symlink_to(tmp_path / "precious")
    with pytest.raises(ResourceError), replacing(target) as temporary:
        temporary.write_text("half")
        raise OSError("gone")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".picture.png.new.png", "picture.png"]
    assert target.read_text() == "old"
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
