"""Quality measured on a cluster: the rows that one machine gives."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from edge_sr.evaluation.hr_set import find_references
from edge_sr.evaluation.measure import EvaluationRequest, evaluate
from edge_sr.farm.evaluation import evaluate_on
from edge_sr.farm.nodes.connection import Cluster
from edge_sr.tensors import reference_card

pytestmark = pytest.mark.xdist_group("ray")


def test_the_rows_of_one_machine(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    Image.fromarray(reference_card(96, 64)).save(tmp_path / "set" / "card.png")
    request = EvaluationRequest(
        bundles=("diinn-nano",),
        references=find_references(tmp_path / "set", 1),
        scales=(Fraction(2), Fraction(5, 2)),
        precisions=("fp32",),
        backend="onnxruntime",
        with_crops=False,
        threads=1,
    )
    alone, many = evaluate(request, lambda text: None), evaluate_on(cluster, request, lambda text: None)
    assert many.results == alone.results
    assert many.rivals == alone.rivals
    assert [(row.bundle, row.scale) for row in many.speed] == [(row.bundle, row.scale) for row in alone.speed]
    assert many.machine["nodes"]
