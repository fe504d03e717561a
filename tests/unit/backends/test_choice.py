"""``auto``: what is measured, what is kept, and which precision may be chosen."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge_sr.backends import autotune as choice
from edge_sr.backends import measurement
from edge_sr.backends.loss import NONE, Loss, budget_of, loss_of
from edge_sr.backends.measurement import Measurement
from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import Bundle
from edge_sr.errors import OptionError
from edge_sr.upscaler import Upscaler


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edge-sr" / "choices"


def test_times_are_measured_once_and_kept_with_the_device(nano: Bundle, cache: Path) -> None:
    found = choice.measured(nano, 2)
    assert "onnxruntime fp32" in found.milliseconds
    assert all(spent > 0 for spent in found.milliseconds.values())
    (file,) = cache.iterdir()
    stored = json.loads(file.read_text())
    assert stored["device"] == measurement.device_identity(2)
    stored |= {"milliseconds": {"onnxruntime fp32": 1.0}, "steady": True}
    file.write_text(json.dumps(stored))
    assert choice.measured(nano, 2).milliseconds == {"onnxruntime fp32": 1.0}
    assert choice.measured(nano, 2, retune=True).milliseconds.keys() == found.milliseconds.keys()
    file.write_text("[]")
    assert choice.measured(nano, 2).milliseconds.keys() == found.milliseconds.keys()


def test_another_device_is_measured_anew() -> None:
    assert measurement.device_identity(1) != measurement.device_identity(2)


def test_what_was_measured_on_a_busy_machine_does_not_stay() -> None:
    now = datetime.now(timezone.utc)
    long_ago, lately = ((now - timedelta(minutes=minutes)).isoformat() for minutes in (61, 59))
    assert Measurement({}, True, 6, long_ago).stands(now)
    assert Measurement({}, False, 30, lately).stands(now)
    assert not Measurement({}, False, 30, long_ago).stands(now)
    assert "busy" in Measurement({}, False, 30, lately).sureness


def clock_of(milliseconds: Iterable[float]) -> Callable[[], float]:
    given = iter(milliseconds)
    return lambda: next(given)


def test_rounds_that_scatter_are_repeated() -> None:
    calm = measurement.measure({"a": lambda: 10.0, "b": lambda: 11.0})
    assert (calm.steady, calm.rounds, calm.milliseconds) == (True, measurement.ROUNDS, {"a": 10.0, "b": 11.0})
    warm_up, busy = [50.0], [10.0, *[20.0] * 9]
    found = measurement.measure(
        {"a": clock_of([*warm_up, *busy, *[10.0] * 40]), "b": lambda: 12.0, "far": lambda: 99.0}
    )
    assert found.steady and measurement.ROUNDS < found.rounds < measurement.MOST_ROUNDS
    restless = measurement.measure({"a": clock_of(itertools.cycle([10.0, 20.0, 30.0]))})
    assert (restless.steady, restless.rounds) == (False, measurement.MOST_ROUNDS)
    assert restless.milliseconds == {"a": 10.0}


def test_what_is_far_behind_is_timed_once() -> None:
    asked: list[float] = []

    def far() -> float:
        asked.append(100.0)
        return asked[-1]

    measurement.measure({"near": lambda: 10.0, "far": far})
    assert len(asked) == 2  # to warm up, and once


LOSSES = {"fp32": NONE, "bf16": Loss(0.001, 0.004), "fp16": Loss(0.0, 0.0), "int8": Loss(0.01, 0.06)}


def best(times: dict[str, float]) -> str:
    """What wins of ``BACKEND PRECISION`` by these milliseconds."""
    names = [(backend, precision) for backend in ("native", "onnxruntime") for precision in LOSSES]
    candidates = [
        choice.Candidate(BACKENDS[backend], precision, None, LOSSES[precision])  # type: ignore[arg-type]
        for backend, precision in names
        if f"{backend} {precision}" in times
    ]
    found = choice._best(candidates, Measurement(times, True, 6, "2026-01-02T03:04:05+00:00"))
    assert "2026-01-02 03:04" in found.times
    return f"{found.backend.name} {found.precision}"


def test_the_fastest_wins_or_the_more_exact_within_a_tenth() -> None:
    assert best({"native fp32": 30, "native bf16": 8, "native int8": 7.5}) == "native bf16"
    assert best({"native fp32": 30, "native bf16": 12, "native int8": 7}) == "native int8"
    assert best({"native fp32": 10.9, "native bf16": 10, "native int8": 9.95}) == "native fp32"
    assert best({"onnxruntime fp32": 90}) == "onnxruntime fp32"


def test_equally_exact_ones_go_by_the_registrys_order() -> None:
    assert best({"native fp32": 31, "onnxruntime fp32": 30}) == "native fp32"
    assert best({"native fp32": 40, "onnxruntime fp32": 30}) == "onnxruntime fp32"


def test_the_line_names_the_chosen_and_the_next(nano: Bundle) -> None:
    found = choice.choose(nano, "auto", "auto", 1)
    assert " ms, " in found.times and "; next " in found.times and "measured" in found.times
    assert re.fullmatch(r"(the fastest|within a tenth of the fastest) of \d+ measured here, .*", found.why)
    assert choice.choose(nano, "auto", "auto", 1, retune=True).why.count(" ms, ") == 2


def test_who_waits_for_a_measurement_is_told(nano: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "edge_sr")
    for _ in range(2):
        choice.choose(nano, "auto", "auto", 1)
    (wait,) = caplog.messages
    assert "up to 20 s" in wait


def test_losses_come_from_the_bundle(nano: Bundle) -> None:
    assert loss_of(nano, "fp32") == NONE
    for precision in ("bf16", "int8"):
        found = loss_of(nano, precision, "int8-cpu" if precision == "int8" else None)  # type: ignore[arg-type]
        assert found is not None and found.within(budget_of(nano))
    assert budget_of(nano).mean_db <= 0.05 and budget_of(nano).worst_db <= 0.15
    bare = dataclasses.replace(nano, description=dataclasses.replace(nano.description, extra={}))
    assert loss_of(bare, "bf16") is None and loss_of(bare, "int8", "int8-cpu") is None
    assert budget_of(bare) == Loss(0.05, 0.15)


def test_a_precision_of_unknown_or_too_great_loss_is_no_candidate(nano: Bundle) -> None:
    extra = {**nano.description.extra, "losses": {"bf16": {"mean_db": 0.2, "worst_db": 0.3}}}
    lossy = dataclasses.replace(nano, description=dataclasses.replace(nano.description, extra=extra))
    offered = {one.precision for one in choice._candidates(lossy, "auto", "auto")}
    assert "fp32" in offered and not offered & {"bf16", "fp16"}
    assert {one.precision for one in choice._candidates(lossy, "auto", "fp16")} == {"fp16"}


def test_a_known_choice_needs_no_measurement(nano: Bundle, cache: Path) -> None:
    assert choice.known_choice(nano, 1) is None
    assert not cache.exists()
    chosen = choice.choose(nano, "auto", "auto", 1)
    assert choice.known_choice(nano, 1) == chosen


def test_what_is_asked_for_is_not_measured(nano: Bundle, cache: Path) -> None:
    found = choice.choose(nano, "onnxruntime", "fp16", 1)
    assert (found.backend.name, found.precision, found.why) == ("onnxruntime", "fp16", "as asked for")
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_stops_nothing_and_is_told_of(
    nano: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edge_sr")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choice.measured(nano, 1).milliseconds
    assert "EDGE_SR_CACHE" in caplog.messages[-1]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"milliseconds": {"native fp32": ' + "9" * 10_000 + "}}",
        '{"milliseconds": {"a": []}, "steady": 1, "rounds": 6, "at": ""}',
        '{"milliseconds": [], "steady": 1, "rounds": 6, "at": ""}',
        '{"milliseconds": {"native fp32": NaN}, "steady": 1, "rounds": 6, "at": ""}',
        '{"milliseconds": {"native fp32": 1}, "steady": 1, "rounds": Infinity, "at": ""}',
    ],
)
def test_a_damaged_file_is_measured_again(nano: Bundle, cache: Path, text: str) -> None:
    times = choice.measured(nano, 1).milliseconds
    (file,) = cache.iterdir()
    file.write_text(text)
    assert choice.measured(nano, 1).milliseconds.keys() == times.keys()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_the_caches_place_is_not_waited_for(nano: Bundle, cache: Path) -> None:
    times = choice.measured(nano, 1).milliseconds
    (file,) = cache.iterdir()
    file.unlink()
    os.mkfifo(file)
    assert choice.measured(nano, 1).milliseconds.keys() == times.keys()


def test_the_precision_is_the_same_at_every_size(nano: Bundle) -> None:
    with Upscaler(nano, threads=1) as one, Upscaler(nano, threads=1) as two:
        assert (one.precision, one.backend) == (two.precision, two.backend)
        assert one.why == two.why != ""


def test_an_unknown_precision_is_refused(nano: Bundle) -> None:
    for backend in ("auto", "onnxruntime"):
        with pytest.raises(OptionError, match="int4"):
            choice.choose(nano, backend, "int4", 1)
