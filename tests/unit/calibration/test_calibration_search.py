"""The search: what it leaves out, what it gives back, and what it remembers."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from edge_sr.calibration.recipe import Budget
from edge_sr.calibration.search.cache import SearchCache
from edge_sr.calibration.search.search import QuantisableLayer, Search
from edge_sr.calibration.search.trial import PsnrLoss
from edge_sr.errors import BudgetError, OptionError

COSTS = {"a": 0.01, "b": 0.06, "c": 0.002, "d": 0.02}


class CountingBench:
    """A bench whose layers' costs are known and add up."""

    scheme = "int8"

    def __init__(self, costs: dict[str, float]) -> None:
        self.costs = costs
        self.tried: list[frozenset[str]] = []

    def loss(self, layers: Collection[str]) -> PsnrLoss:
        self.tried.append(frozenset(layers))
        lost = sum(self.costs[name] for name in layers)
        return PsnrLoss(lost, 2 * lost, "a frame")


def search(costs: dict[str, float], budget: Budget, least: float = 0.0) -> tuple[CountingBench, Search]:
    bench = CountingBench(costs)
    candidates = [QuantisableLayer(name, 10) for name in costs]
    return bench, Search(bench, candidates, budget, least, lambda message: None)  # type: ignore[arg-type]


def test_everything_stays_when_the_budget_allows() -> None:
    _, found = search(COSTS, Budget(0.2, 0.5))
    assert found.run() == ("a", "b", "c", "d")
    assert [entry.mean_db for entry in found.sensitivity] == list(COSTS.values())


def test_the_costliest_go_first() -> None:
    bench, found = search(COSTS, Budget(0.05, 0.15))
    assert found.run() == ("a", "c", "d")
    assert frozenset("acd") in bench.tried


def test_what_went_for_nothing_is_given_back() -> None:
    costs = {"a": 0.03, "b": 0.032, "c": 0.001}
    _, found = search(costs, Budget(0.034, 0.15))
    assert found.run() == ("a", "c")


def test_too_small_a_share_is_no_int8() -> None:
    _, found = search(COSTS, Budget(0.0001, 0.001), least=0.5)
    with pytest.raises(BudgetError, match=r"no assignment loses at most 0\.0001 dB"):
        found.run()


def test_a_memo_measures_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def measure() -> float:
        calls.append(1)
        return 0.5

    path = tmp_path / "memo.json"
    assert SearchCache(path, "key", resume=False).get("x", measure) == 0.5
    assert SearchCache(path, "key", resume=True).get("x", measure) == 0.5
    assert len(calls) == 1
    assert SearchCache(path, "key", resume=False).get("x", measure) == 0.5
    assert len(calls) == 2


def test_a_memo_of_another_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memo.json"
    SearchCache(path, "key", resume=False).get("x", lambda: 1)
    with pytest.raises(OptionError, match="another bundle, recipe or frames"):
        SearchCache(path, "other", resume=True)
    path.write_text("{")
    with pytest.raises(OptionError, match="damaged"):
        SearchCache(path, "key", resume=True)
