"""Runs that something gets in the way of: a folder that goes, another run at the same output, options beyond reason."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("processes are forked and watched as on Linux", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))

from PIL import Image
from processes import Ended, Limits, run
from sandbox import Sandbox
from support.films import Making, make_film

NETWORK = ("--model", "diinn-nano", "--backend", "native", "--precision", "fp32", "--threads", "1")
LIMITS = Limits(wall_seconds=200)
Upscaled = Callable[..., Ended]


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "case", tmp_path)


@pytest.fixture
def upscaled(sandbox: Sandbox) -> Upscaled:
    """``edge-sr upscale`` of what is given; ``watch`` is asked again and again whether it has done its deed."""

    def go(given: Path, output: Path, *more: str, watch: Callable[[int], bool] | None = None) -> Ended:
        words = ["upscale", given, "-o", output, "--scale", "2", *NETWORK, *more]
        return run(words, folder=sandbox.here, environment=sandbox.environment, limits=LIMITS, watch=watch)

    return go


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def remover(folder: Path, sign: str) -> Callable[[int], bool]:
    """Removes the folder as soon as something in it is called so."""

    def look(_: int) -> bool:
        if not any(folder.glob(sign)):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    return look


def test_an_output_folder_that_goes_while_a_film_is_made(sandbox: Sandbox, upscaled: Upscaled) -> None:
    film = make_film(sandbox.given / "film.mkv", Making(frames=400))
    place = sandbox.out / "place"
    place.mkdir()
    sandbox.seal()
    ended = upscaled(film, place / "larger.mkv", watch=remover(place, "*.part/*"))
    assert ended.code == 5, ended
    assert sandbox.faults(ended, LIMITS) == []


def test_an_output_folder_that_goes_while_pictures_are_made(sandbox: Sandbox, upscaled: Upscaled) -> None:
    given = pictures(sandbox.given / "many", 60)
    place = sandbox.out / "place"
    place.mkdir()
    sandbox.seal()
    ended = upscaled(given, place / "larger", watch=remover(place, "larger/*.png"))
    assert ended.code == 5, ended
    assert sandbox.faults(ended, LIMITS) == []


def test_one_picture_written_by_two_runs_at_once_is_whole(sandbox: Sandbox, upscaled: Upscaled) -> None:
    given = pictures(sandbox.given / "one", 1) / "0.png"
    output = sandbox.out / "0.png"
    assert upscaled(given, output).code == 0
    whole = np.asarray(Image.open(output))
    sandbox.seal()
    ends: list[Ended] = []

    def other() -> None:
        ends.append(upscaled(given, output, "--overwrite"))

    for _ in range(3):
        threads = [threading.Thread(target=other) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert np.array_equal(np.asarray(Image.open(output)), whole)
    assert [fault for ended in ends for fault in sandbox.faults(ended, LIMITS)] == []
    assert {ended.code for ended in ends} == {0}
    assert [path.name for path in sandbox.out.iterdir()] == ["0.png"]


@pytest.mark.parametrize("threads", ["100000", "0", "-1", "9" * 30])
def test_threads_beyond_reason_are_refused(sandbox: Sandbox, threads: str) -> None:
    words = ["upscale", "film.mkv", "--scale", "2", "--threads", threads]
    sandbox.seal()
    ended = run(words, folder=sandbox.here, environment=sandbox.environment, limits=LIMITS)
    assert ended.code == 2
    assert sandbox.faults(ended, LIMITS) == []
