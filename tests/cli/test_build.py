"""``edge-sr build``: what it builds, and what it says about what it cannot build here."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.calling import Command

from edge_sr.engines.interface.loader import Flavour, installed_version

ROOT = Path(__file__).parents[2]
with_rtx = pytest.mark.skipif(
    installed_version(Flavour.RTX) is None,
    reason="needs TensorRT for RTX: pip install 'edge-sr[tensorrt-rtx]'",
)
SMALL = ["diinn-nano", "--sizes", "64x48"]
Error = Callable[..., str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "engines"))
    return tmp_path / "engines"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_sr", *words], capture_output=True, text=True, cwd=ROOT, check=False
    )


def build_json(*words: str) -> dict[str, Any]:
    done = run("build", *words, "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Error:
    """The one line that a refusal says, in this process."""
    command = Command("build", monkeypatch, capsys)

    def said(code: int, *words: str) -> str:
        answer = command(*words)
        assert answer.code == code, answer.err
        assert answer.out == "" and answer.err.startswith("edge-sr: ") and answer.err.count("\n") == 1
        return answer.err

    return said


@with_rtx
def test_json_lists_every_engine_with_the_agreed_keys(cache: Path) -> None:
    engines = build_json(*SMALL, "--target", "rtx-40", "--precision", "fp16", "--depth", "10")["engines"]
    assert [engine["part"] for engine in engines] == ["encoder", "decoder"] * 2
    for engine in engines:
        assert {"name", "part", "target", "flavour", "version", "precision", "bytes", "path"} <= set(engine)
        assert engine["built"] and Path(engine["path"]).stat().st_size == engine["bytes"]
        assert Path(engine["path"]).parent == cache
    again = build_json(*SMALL, "--target", "rtx-40", "--precision", "fp16", "--depth", "10")["engines"]
    assert [engine["built"] for engine in again] == [False] * 4
    forced = build_json(*SMALL, "--target", "rtx-40", "--precision", "fp16", "--force")["engines"]
    assert [engine["built"] for engine in forced] == [True] * 2


@with_rtx
def test_progress_goes_to_stderr_and_the_result_to_stdout(cache: Path) -> None:
    done = run("build", *SMALL, "--target", "rtx-40,rtx-30", "--precision", "fp16,fp32")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split() == [
        "bundle",
        "part",
        "io",
        "precision",
        "target",
        "sizes",
        "for",
        "seconds",
        "bytes",
        "path",
    ]
    assert len(lines) == 8
    for line in lines:
        bundle, _, _, precision, target, frames, _, seconds, size, path = line.split()
        assert frames == "64x48"
        assert (bundle, precision[:2], target[:4]) == ("diinn-nano", "fp", "rtx-")
        assert float(seconds) > 0 and Path(path).parent == cache
        assert int(size.replace(",", "")) == Path(path).stat().st_size
    assert done.stderr.count(": building") == 8
    again = run("build", *SMALL, "--target", "rtx-40", "--precision", "fp16")
    assert again.stdout.splitlines()[-1].startswith("2 of 2 were there already")


@with_rtx
def test_a_users_target_stands_beside_ours(tmp_path: Path) -> None:
    profile = (ROOT / "engines/targets/rtx-40.toml").read_text().replace('"2048x256"', '"128x64"')
    (tmp_path / "mine.toml").write_text(profile)
    engines = build_json(*SMALL, "--target", str(tmp_path / "mine.toml"))["engines"]
    assert {engine["target"] for engine in engines} == {"mine"}


def test_a_target_with_an_unknown_key_is_refused(tmp_path: Path, error: Error) -> None:
    (tmp_path / "mine.toml").write_text((ROOT / "engines/targets/rtx-40.toml").read_text() + "colour = 1\n")
    assert "unknown key 'colour'" in error(4, *SMALL, "--target", str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("target", ["jetson-orin-nano", "jetson-agx-thor", "h100", "l4"])
def test_tensorrt_names_the_machine_and_the_command_within_a_second(target: str, error: Error) -> None:
    started = time.monotonic()
    message = error(3, "diinn-edge", "--target", target, "--max-size", "640x360")
    elapsed = time.monotonic() - started
    assert f"edge-sr build diinn-edge --target {target} --precision fp16 --max-size 640x360" in message
    assert "on the machine with NVIDIA" in message
    assert elapsed < 30, "it ends without building anything"


@pytest.mark.parametrize(
    "target, capability", [("jetson-orin-nx", "8.7"), ("jetson-agx-thor", "11.0"), ("h100", "9.0")]
)
def test_a_pair_that_nobody_can_build_names_what_is_possible(
    target: str, capability: str, error: Error
) -> None:
    message = error(2, "diinn-edge", "--target", target, "--flavour", "tensorrt-rtx")
    assert capability in message and "7.5, 8.0, 8.6, 8.9, 12.0, 12.1" in message


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["diinn-edge", "--target", "jetson-orin"],
            "unknown target 'jetson-orin'; did you mean jetson-orin-nx?",
        ),
        (["diinn-egde", "--target", "rtx-40"], "unknown model 'diinn-egde'; did you mean diinn-edge?"),
        (["diinn-edge"], "--target"),
        (["diinn-edge", "--target", "rtx-40", "--sizes", "640"], "WIDTHxHEIGHT"),
        (["diinn-edge", "--target", "rtx-40", "--sizes", "64x64", "--max-size", "64x64"], "contradict"),
        (["diinn-edge", "--target", "rtx-40", "--depth", "12"], "--depth is 8 or 10"),
        (["diinn-edge", "--target", "rtx-40", "--dla"], "no DLA core"),
        (["diinn-edge", "--target", "rtx-40", "--dla-fallback"], "add --dla"),
        (["diinn-edge", "--target", "jetson-orin-nx", "--dla", "--decoder", "kernels"], "leave out --dla"),
        (["diinn-edge", "--target", "jetson-orin-nx", "--dla"], "exactly one input size"),
        (["diinn-edge", "--target", "jetson-orin-nx", "--dla", "--precision", "int8"], "calibration cache"),
        (["diinn-edge", "--target", "rtx-40", "--fleet", "fleet.toml"], "leave the others out"),
        (["--fleet", "fleet.toml", "--depth", "10"], "leave the others out"),
        (["--fleet", "fleet.toml", "--hr", "set"], "add --cluster"),
        (["--fleet", "fleet.toml", "--report", "fleet.html"], "add --hr"),
        (["diinn-edge", "--target", "rtx-40", "--depth", "0"], "--depth is 8 or 10"),
        (["diinn-edge", "--target", "rtx-40", "--sizes", "64x48,1x1"], "4x4 pixels or more, found 1x1"),
        (["diinn-edge", "--target", "rtx-40", "--max-size", "8x3"], "4x4 pixels or more, found 8x3"),
        (["diinn-edge", "--target", ""], "at least one name"),
        (["diinn-edge", "--target", ","], "at least one name"),
        (["diinn-edge", "--target", "rtx-40", "--precision", ","], "at least one name"),
        (["diinn-edge", "--target", "rtx-40, rtx-40"], "rtx-40 is asked for twice"),
        (["diinn-edge", "--target", "rtx-40", "--precision", "fp16,fp16"], "fp16 is asked for twice"),
        (["diinn-edge", "--target", "rtx-40", "--sizes", "64x48,64x48"], "64x48 is asked for twice"),
        (["diinn-edge", "--target", "rtx-40", "--precision", "bogus"], "unknown precision 'bogus'"),
        (["diinn-edge", "--target", "rtx-40", "--precision", "int8-cpu"], "give --precision int8"),
    ],
)
def test_contradictions_and_unknown_names_end_with_2(words: list[str], message: str, error: Error) -> None:
    assert message in error(2, *words)


def test_auto_without_a_gpu_says_what_is_missing(error: Error) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert "libcuda.so.1" in error(3, "diinn-edge", "--target", "auto")


@with_rtx
def test_a_target_that_the_variable_names_needs_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SR_TARGET", "rtx-40")
    engines = build_json(*SMALL, "--target", "auto")["engines"]
    assert {engine["target"] for engine in engines} == {"rtx-40"}


def test_the_command_for_another_machine_asks_for_the_same(error: Error) -> None:
    kernels = error(3, *SMALL, "--target", "l4", "--decoder", "kernels")
    assert "edge-sr build diinn-nano --target l4 --precision fp16 --sizes 64x48 --decoder kernels" in kernels
    flavoured = error(3, *SMALL, "--target", "rtx-40", "--flavour", "tensorrt")
    assert "--target rtx-40 --precision fp16 --sizes 64x48 --flavour tensorrt" in flavoured


@with_rtx
def test_a_cache_that_others_can_write_to_is_refused(cache: Path, error: Error) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    assert "an engine is code" in error(5, *SMALL, "--target", "rtx-40")


@with_rtx
def test_a_precision_that_the_bundle_lacks_ends_with_4_before_anything_is_built(
    cache: Path, error: Error
) -> None:
    message = error(4, "diinn-nano", "--target", "rtx-40", "--precision", "fp16,bf16")
    assert "in bf16, only fp32, fp16" in message
    assert not cache.exists()


FLEET = """
[[group]]
bundles = ["diinn-nano"]
targets = ["rtx-40", "jetson-orin-nano"]
precisions = ["fp16"]
sizes = ["64x48"]

[[group]]
bundles = ["diinn-nano"]
targets = ["l4"]
"""


@with_rtx
def test_a_fleet_builds_what_it_can_lists_the_rest_and_resumes(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    first = build_json("--fleet", str(tmp_path / "fleet.toml"))
    assert [engine["built"] for engine in first["engines"]] == [True, True]
    assert [item["target"] for item in first["elsewhere"]] == ["jetson-orin-nano", "l4"]
    for item in first["elsewhere"]:
        assert "--sizes 64x48" in item["command"] or item["target"] == "l4"
        assert item["reason"].endswith(f"run: {item['command']}")
    again = build_json("--fleet", str(tmp_path / "fleet.toml"))
    assert [engine["built"] for engine in again["engines"]] == [False, False]


def test_a_fleet_with_a_wrong_name_builds_nothing(tmp_path: Path, cache: Path, error: Error) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET.replace('"l4"', '"l5"'))
    assert "unknown target 'l5'" in error(2, "--fleet", str(tmp_path / "fleet.toml"))
    assert not cache.exists()


def test_a_fleet_with_an_unknown_key_is_refused(tmp_path: Path, error: Error) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET.replace("sizes", "size"))
    assert "unknown key 'size'" in error(4, "--fleet", str(tmp_path / "fleet.toml"))


def test_a_fleet_that_names_a_target_twice_is_refused(tmp_path: Path, error: Error) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET.replace('["l4"]', '["l4", "l4"]'))
    assert "l4 twice" in error(4, "--fleet", str(tmp_path / "fleet.toml"))


def test_a_fleet_of_nothing_is_refused(tmp_path: Path, error: Error) -> None:
    (tmp_path / "fleet.toml").write_text("group = []")
    assert "at least one [[group]]" in error(4, "--fleet", str(tmp_path / "fleet.toml"))
