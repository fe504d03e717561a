"""What ``edge-sr build --fleet`` measures of its engines, and where it writes that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.cli.evaluate import table, write_report
from edge_sr.cli.pages import check_new_page
from edge_sr.errors import OptionError

if TYPE_CHECKING:
    from edge_sr.engines.fleet import Fleet
    from edge_sr.evaluation.hr_set import HrSet
    from edge_sr.evaluation.results import Evaluation
    from edge_sr.farm.nodes.asking import ClusterNode

FRAMES = 16


@dataclasses.dataclass(frozen=True)
class FleetReport:
    """The references and scales to measure by, and the page to write, if any."""

    references: HrSet
    scales: tuple[Fraction, ...]
    page: Path | None

    def measured(
        self, ray: Any, nodes: Mapping[str, ClusterNode], fleet: Fleet, say: Callable[[str], None]
    ) -> list[Evaluation]:
        """What each node's engines came to."""
        from edge_sr.farm.fleet_evaluation import measure_on

        return measure_on(ray, nodes, fleet, self.references, self.scales, say)

    def write(self, found: list[Evaluation]) -> None:
        if self.page is not None:
            write_report(self.page, found)


def fleet_report(
    hr: Path | None, scales: str | None, page: Path | None, cluster: str | None
) -> FleetReport | None:
    """What the options ask for, refused where it contradicts itself."""
    if hr is None:
        if scales or page:
            raise OptionError("--scales and --report tell of what is measured: add --hr FOLDER or --hr FILM")
        return None
    if cluster is None:
        raise OptionError("--hr measures the nodes of a cluster: add --cluster, or here use edge-sr evaluate")
    check_new_page("--report", page)
    from edge_sr.evaluation.hr_set import find_references
    from edge_sr.sizes import parse_scale

    asked = tuple(parse_scale(scale) for scale in (scales or "2").split(","))
    return FleetReport(find_references(hr, FRAMES), asked, page)


def quality_text(quality: Sequence[Evaluation]) -> str:
    """A table for each node."""
    heads = (f"{one.machine['node']}: {one.machine.get('gpu', 'no GPU')}" for one in quality)
    return "\n\n".join(f"{head}\n{table(one)}" for head, one in zip(heads, quality, strict=True))
