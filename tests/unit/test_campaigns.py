"""The campaigns' own judgement: what must not be is found, and a case is the same whenever it is run."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("the campaigns fork and limit as Linux does", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))

from mutations import mutated, mutated_tree
from processes import Ended, Limits, apart, run
from sandbox import Sandbox

LIMITS = Limits(wall_seconds=60, peak_mb=2000)
GOOD = Ended(0, "", "", 1.0, 100.0, False)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    made = Sandbox(tmp_path / "case", tmp_path)
    (made.given / "film").write_bytes(b"film")
    made.seal()
    return made


def test_a_good_end_has_no_fault(sandbox: Sandbox) -> None:
    (sandbox.out / "result").write_bytes(b"anything")
    assert sandbox.faults(GOOD, LIMITS, ("secret",)) == []
    refused = GOOD._replace(code=4, err="note: x\nedge-sr: no film\n")
    assert sandbox.faults(refused, LIMITS) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"code": 1, "err": "edge-sr: unexpected"},
        {"code": -11},
        {"code": 4, "err": ""},
        {"code": 4, "err": "edge-sr: a\nedge-sr: b\n"},
        {"err": "Traceback (most recent call last):"},
        {"peak_mb": 2001.0},
        {"code": -9, "overdue": True},
        {"out": "a secret is told"},
    ],
)
def test_a_bad_end_is_found(sandbox: Sandbox, changes: dict[str, object]) -> None:
    assert len(sandbox.faults(GOOD._replace(**changes), LIMITS, ("secret",))) == 1


@pytest.mark.parametrize(
    "touch",
    [
        lambda box: (box.given / "film").write_bytes(b"other"),
        lambda box: (box.given / "film").unlink(),
        lambda box: (box.here / "left").write_bytes(b""),
        lambda box: (box.folder / "tmp" / "left").mkdir(),
        lambda box: (box.folder / "precious" / "file").write_bytes(b""),
        lambda box: (box.out / "a secret.mkv").write_bytes(b""),
        lambda box: (box.out / "state.json").write_bytes(b"a secret"),
    ],
)
def test_what_was_touched_is_found(sandbox: Sandbox, touch: Callable[[Sandbox], object]) -> None:
    touch(sandbox)
    assert len(sandbox.faults(GOOD, LIMITS, ("secret",))) == 1


def test_the_command_runs_in_a_process_of_its_own(sandbox: Sandbox) -> None:
    words: dict[str, Any] = {"folder": sandbox.here, "environment": sandbox.environment, "limits": LIMITS}
    ended = run(["--version"], **words)
    assert (ended.code, ended.out.split()[0], ended.err) == (0, "edge-sr", "")
    ended = run(["upscale", sandbox.given / "film", "--scale", "2", "--model", "diinn-nano"], **words)
    assert ended.code == 4
    assert sandbox.faults(ended, LIMITS) == []


def test_work_done_apart_may_crash() -> None:
    assert apart(lambda: "all well") == "all well"
    assert "ValueError" in apart(lambda: str(int("x")))
    assert "-9" in apart(lambda: __import__("os").kill(__import__("os").getpid(), 9) or "")


def test_a_case_is_determined_by_its_seed() -> None:
    data = bytes(range(256)) * 8
    tree = {"a": [1, {"b": 2.5}], "c": "x"}
    for number in range(50):
        dice = [random.Random(f"media 1 {number}") for _ in range(2)]
        assert mutated(data, dice[0]) == mutated(data, dice[1])
        assert repr(mutated_tree(tree, dice[0])) == repr(mutated_tree(tree, dice[1]))
    assert len({mutated(data, random.Random(number)) for number in range(50)}) > 40
