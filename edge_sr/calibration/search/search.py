"""Which layers to quantise: each tried alone, then the costliest left out until the budget is met."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

import onnx

from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.graph.qdq import quantised
from edge_sr.calibration.ranges.levels import Range
from edge_sr.calibration.recipe import Budget
from edge_sr.calibration.search.cache import Memo
from edge_sr.calibration.search.trial import Picture, Price, Trial
from edge_sr.calibration.table import Sensitivity
from edge_sr.errors import BudgetError

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A layer that may be quantised, and its multiply-adds for each LR pixel, at twice the size."""

    name: str
    work: int


class Bench:
    """Tries sets of layers of one placement, remembering what was measured."""

    def __init__(self, trial: Trial, ranges: Mapping[str, Range], placement: str, memo: Memo) -> None:
        self.trial, self.ranges, self.placement, self._memo = trial, ranges, placement, memo
        self._layers = {role: set(GraphMap(model).layers) for role, model in trial.models.items()}

    def graphs(self, layers: Collection[str]) -> dict[str, onnx.ModelProto]:
        """The graphs that have any of these layers, with them quantised."""
        return {
            role: quantised(model, self.ranges, self.placement, layers, self.trial.residual)
            for role, model in self.trial.models.items()
            if not self._layers[role].isdisjoint(layers)
        }

    def price(self, layers: Collection[str]) -> Price:
        name = f"{self.placement}: {' '.join(sorted(layers))}"
        return Price(**self._memo.get(name, lambda: dataclasses.asdict(self._measure(layers))))

    def pictures(self, layers: Collection[str]) -> list[Picture]:
        """As the graphs really run: on integer kernels where the CPU has them."""
        return list(self.trial.pictures(self.graphs(layers), simulate=self.placement == "int8"))

    def _measure(self, layers: Collection[str]) -> Price:
        return self.trial.price(self.pictures(layers))


class Search:
    """Finds the layers that one placement quantises within a budget; ``say`` hears every step."""

    def __init__(
        self, bench: Bench, candidates: Sequence[Candidate], budget: Budget, least_share: float, say: Say
    ) -> None:
        self.bench, self.budget, self.say = bench, budget, say
        self.work = {candidate.name: candidate.work for candidate in candidates}
        self.least = least_share * sum(self.work.values())
        self.sensitivity: tuple[Sensitivity, ...] = ()

    def run(self) -> tuple[str, ...]:
        """Names of the layers to quantise, in the network's order.

        Raises ``BudgetError`` with the nearest assignment when none within the budget has enough of the work.
        """
        self.sensitivity = tuple(self._alone(name) for name in self.work)
        chosen = self._give_back(self._within_budget())
        return tuple(name for name in self.work if name in chosen)

    def _alone(self, name: str) -> Sensitivity:
        price = self.bench.price([name])
        self._tell(f"{name} alone", price)
        return Sensitivity(name, price.mean_db, price.worst_db)

    def _within_budget(self) -> set[str]:
        """Greedy, from the most sensitive on."""
        chosen = set(self.work)
        costliest = sorted(self.sensitivity, key=self._sensitivity_strain, reverse=True)
        price = self._price(chosen, f"all {len(chosen)} layers")
        for entry in costliest:
            if self._strain(price) <= 1:
                return chosen
            if self._share(chosen - {entry.layer}) < self.least:
                break
            chosen.remove(entry.layer)
            price = self._price(chosen, f"without {entry.layer}")
        if self._strain(price) <= 1:
            return chosen
        raise BudgetError(
            f"{self.bench.placement}: no assignment loses at most {self.budget.mean_db:g} dB on average and "
            f"{self.budget.worst_db:g} dB at worst; the nearest, {len(chosen)} of {len(self.work)} layers, "
            f"loses {price}; nothing was written; allow more with --budget-db, or give nearer frames"
        )

    def _give_back(self, chosen: set[str]) -> set[str]:
        """Quantise again what went before the last one for nothing, the least sensitive first."""
        strain = {entry.layer: self._sensitivity_strain(entry) for entry in self.sensitivity}
        for name in sorted(set(self.work) - chosen, key=lambda name: strain[name]):
            if self._strain(self._price(chosen | {name}, f"with {name} again")) <= 1:
                chosen = chosen | {name}
        return chosen

    def _price(self, chosen: Collection[str], what: str) -> Price:
        price = self.bench.price(chosen)
        self._tell(what, price)
        return price

    def _tell(self, what: str, price: Price) -> None:
        self.say(f"{self.bench.placement}: {what}: {price}")

    def _strain(self, price: Price) -> float:
        """At most 1 within the budget."""
        return max(price.mean_db / self.budget.mean_db, price.worst_db / self.budget.worst_db)

    def _sensitivity_strain(self, entry: Sensitivity) -> float:
        return max(entry.mean_db / self.budget.mean_db, entry.worst_db / self.budget.worst_db)

    def _share(self, chosen: Collection[str]) -> int:
        return sum(self.work[name] for name in chosen)
