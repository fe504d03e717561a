"""``auto``: what is measured, what is kept, and which precision may be chosen."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge_sr.backends import autotune as choice
from edge_sr.bundle import Bundle
from edge_sr.errors import OptionError
from edge_sr.upscaler import Upscaler


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edge-sr" / "choices"


def test_times_are_measured_once_and_kept_with_the_device(nano: Bundle, cache: Path) -> None:
    times = choice.known_times(nano, 2)
    assert "onnxruntime fp32" in times and all(spent > 0 for spent in times.values())
    (file,) = cache.iterdir()
    stored = json.loads(file.read_text())
    assert stored["device"] == choice.device_identity(2)
    stored["milliseconds"] = {"onnxruntime fp32": 1.0}
    file.write_text(json.dumps(stored))
    assert choice.known_times(nano, 2) == {"onnxruntime fp32": 1.0}
    file.write_text("[]")
    assert choice.known_times(nano, 2).keys() == times.keys()


def test_another_device_is_measured_anew(nano: Bundle) -> None:
    one, other = choice.device_identity(1), choice.device_identity(2)
    assert choice._digest(nano, one) != choice._digest(nano, other)


def test_int8_is_taken_where_it_is_worth_it() -> None:
    slow, fast = ("onnxruntime", "fp32"), ("native", "fp32")
    assert choice._best({slow: 90, fast: 30, ("native", "int8"): 12}) == ("native", "int8")
    assert choice._best({slow: 90, fast: 30, ("native", "int8"): 28}) == fast
    assert choice._best({slow: 90}) == slow
    assert choice._best({("native", "int8"): 12}) == ("native", "int8")
    assert choice._best({}) is None


def test_what_is_asked_for_is_not_measured(nano: Bundle, cache: Path) -> None:
    found = choice.choose(nano, "onnxruntime", "fp16", 1)
    assert (found.backend.name, found.precision, found.why) == ("onnxruntime", "fp16", "as asked for")
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_stops_nothing(
    nano: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choice.known_times(nano, 1)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"milliseconds": {"native fp32": ' + "9" * 10_000 + "}}", '{"milliseconds": {"a": []}}'],
)
def test_a_damaged_file_is_measured_again(nano: Bundle, cache: Path, text: str) -> None:
    times = choice.known_times(nano, 1)
    (file,) = cache.iterdir()
    file.write_text(text)
    assert choice.known_times(nano, 1).keys() == times.keys()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_the_caches_place_is_not_waited_for(nano: Bundle, cache: Path) -> None:
    times = choice.known_times(nano, 1)
    (file,) = cache.iterdir()
    file.unlink()
    os.mkfifo(file)
    assert choice.known_times(nano, 1).keys() == times.keys()


def test_the_precision_is_the_same_at_every_size(nano: Bundle) -> None:
    with Upscaler(nano, threads=1) as one, Upscaler(nano, threads=1) as two:
        assert (one.precision, one.backend) == (two.precision, two.backend)
        assert one.why == two.why != ""


def test_an_unknown_precision_is_refused(nano: Bundle) -> None:
    for backend in ("auto", "onnxruntime"):
        with pytest.raises(OptionError, match="int4"):
            choice.choose(nano, backend, "int4", 1)
