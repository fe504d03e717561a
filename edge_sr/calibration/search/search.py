"""Which layers to quantise: each tried alone, then the costliest left out until the budget is met."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

import onnx

from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.graph.qdq import quantised
from edge_sr.calibration.ranges.levels import Range
from edge_sr.calibration.recipe import Budget
from edge_sr.calibration.search.cache import SearchCache
from edge_sr.calibration.search.trial import Picture, PsnrLoss, Trial
from edge_sr.calibration.table import SchemeEntry, Sensitivity
from edge_sr.errors import BudgetError

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class QuantisableLayer:
    """A layer that may be quantised, and its multiply-adds for each LR pixel, at twice the size."""

    name: str
    work: int


class Bench:
    """Tries sets of layers of one scheme, remembering what was measured."""

    def __init__(self, trial: Trial, ranges: Mapping[str, Range], scheme: str, cache: SearchCache) -> None:
        self.trial, self.ranges, self.scheme, self._cache = trial, ranges, scheme, cache
        self._layers = {role: set(GraphMap(model).layers) for role, model in trial.models.items()}

    def graphs(self, layers: Collection[str]) -> dict[str, onnx.ModelProto]:
        """The graphs that have any of these layers, with them quantised."""
        return {
            role: quantised(model, self.ranges, self.scheme, layers, self.trial.residual)
            for role, model in self.trial.models.items()
            if not self._layers[role].isdisjoint(layers)
        }

    def loss(self, layers: Collection[str]) -> PsnrLoss:
        name = f"{self.scheme}: {' '.join(sorted(layers))}"
        return PsnrLoss(**self._cache.get(name, lambda: dataclasses.asdict(self._measure(layers))))

    def pictures(self, layers: Collection[str]) -> list[Picture]:
        """As the graphs really run: on integer kernels where the CPU has them."""
        return list(self.trial.pictures(self.graphs(layers), simulate=self.scheme == "int8"))

    def _measure(self, layers: Collection[str]) -> PsnrLoss:
        return self.trial.loss(self.pictures(layers))


class Search:
    """Finds the layers that one scheme quantises within a budget; ``say`` hears every step."""

    def __init__(
        self,
        bench: Bench,
        candidates: Sequence[QuantisableLayer],
        budget: Budget,
        least_share: float,
        say: Say,
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

    def again(self, earlier: SchemeEntry) -> tuple[str, ...]:
        """The layers of an earlier calibration that may be quantised.

        Raises ``BudgetError`` where they have too little of the work or lose too much.
        """
        self.sensitivity = tuple(entry for entry in earlier.sensitivity if entry.layer in self.work)
        chosen = tuple(name for name in self.work if name in earlier.layers)
        if self._share(chosen) < self.least:
            raise BudgetError(
                f"{self.bench.scheme}: of {len(self.work)} layers the recipe's `table` quantises {len(chosen)}, which "
                "is less than its `least_share` of the multiply-adds; nothing was written; lower `least_share`, or "
                "leave `table` out"
            )
        loss = self._loss(chosen, f"the table's {len(chosen)} layers")
        if self._strain(loss) > 1:
            raise BudgetError(
                f"{self.bench.scheme}: the layers that the recipe's `table` quantises lose {loss}, expected at most "
                f"{self._allowed}; nothing was written; allow more with --budget-db, or leave `table` out"
            )
        return chosen

    def _alone(self, name: str) -> Sensitivity:
        loss = self.bench.loss([name])
        self._tell(f"{name} alone", loss)
        return Sensitivity(name, loss.mean_db, loss.worst_db)

    def _within_budget(self) -> set[str]:
        """Greedy, from the most sensitive on."""
        chosen = set(self.work)
        costliest = sorted(self.sensitivity, key=self._sensitivity_strain, reverse=True)
        loss = self._loss(chosen, f"all {len(chosen)} layers")
        for entry in costliest:
            if self._strain(loss) <= 1:
                return chosen
            if self._share(chosen - {entry.layer}) < self.least:
                break
            chosen.remove(entry.layer)
            loss = self._loss(chosen, f"without {entry.layer}")
        if self._strain(loss) <= 1:
            return chosen
        raise BudgetError(
            f"{self.bench.scheme}: no assignment loses at most {self._allowed}; the nearest, {len(chosen)} of "
            f"{len(self.work)} layers, loses {loss}, and with fewer too little would be INT8; nothing was written; "
            "allow more with --budget-db, lower the recipe's least_share, or give nearer frames"
        )

    def _give_back(self, chosen: set[str]) -> set[str]:
        """Quantise again what went before the last one for nothing, the least sensitive first."""
        strain = {entry.layer: self._sensitivity_strain(entry) for entry in self.sensitivity}
        for name in sorted(set(self.work) - chosen, key=lambda name: strain[name]):
            if self._strain(self._loss(chosen | {name}, f"with {name} again")) <= 1:
                chosen = chosen | {name}
        return chosen

    def _loss(self, chosen: Collection[str], what: str) -> PsnrLoss:
        loss = self.bench.loss(chosen)
        self._tell(what, loss)
        return loss

    def _tell(self, what: str, loss: PsnrLoss) -> None:
        self.say(f"{self.bench.scheme}: {what}: {loss}")

    @property
    def _allowed(self) -> str:
        return f"{self.budget.mean_db:g} dB on average and {self.budget.worst_db:g} dB at worst"

    def _strain(self, loss: PsnrLoss) -> float:
        """At most 1 within the budget."""
        return max(loss.mean_db / self.budget.mean_db, loss.worst_db / self.budget.worst_db)

    def _sensitivity_strain(self, entry: Sensitivity) -> float:
        return max(entry.mean_db / self.budget.mean_db, entry.worst_db / self.budget.worst_db)

    def _share(self, chosen: Collection[str]) -> int:
        return sum(self.work[name] for name in chosen)
