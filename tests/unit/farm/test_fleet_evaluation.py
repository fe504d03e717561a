"""A fleet's engines measured where they are, for one page."""

from __future__ import annotations

import dataclasses
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import open_bundle
from edge_sr.engines.build.request import Workplace
from edge_sr.engines.fleet import Fleet, FleetGroup
from edge_sr.engines.interface.loader import Flavour
from edge_sr.errors import MissingError
from edge_sr.evaluation.hr_set import HrSet, find_references
from edge_sr.evaluation.report import page
from edge_sr.farm import fleet_evaluation
from edge_sr.farm.building import for_nodes
from edge_sr.farm.fleet_evaluation import measure_here
from edge_sr.machine.gpu import Gpu
from edge_sr.tensors import reference_card

FLEET = Fleet((FleetGroup(("diinn-nano",), ("rtx-portable",), ("fp32", "fp16")),))
TWO = (Fraction(2),)


def test_nodes_are_given_full_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(open_bundle("diinn-nano").path, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    asked = Fleet((FleetGroup(("diinn-nano", "mine"), ("rtx-40", "own/board.toml"), depth=10),))
    (group,) = for_nodes(asked).group
    assert group.bundles == ("diinn-nano", str(tmp_path / "mine"))
    assert (group.targets, group.depth) == (("rtx-40", str(tmp_path / "own/board.toml")), 10)


@pytest.fixture
def references(tmp_path: Path) -> HrSet:
    Image.fromarray(reference_card(96, 64)).save(tmp_path / "card.png")
    return find_references(tmp_path / "card.png", 1)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node whose engines are of fp32 alone, and compute as ONNX Runtime does."""

    def open_pair(config: RunnerConfig) -> Runner:
        if config.precision != "fp32":
            raise MissingError("no engine for 48x32 was built")
        return BACKENDS["onnxruntime"].open_pair(config)

    backend = dataclasses.replace(BACKENDS["onnxruntime"], name="tensorrt-rtx", open_pair=open_pair)
    place = Workplace(Flavour.RTX, "1", None)
    monkeypatch.setitem(BACKENDS, "tensorrt-rtx", backend)
    monkeypatch.setattr(fleet_evaluation, "split", lambda asked: ([(one, place) for one in asked], []))
    gpu = Gpu("a GPU", "8.9", 8192, False, "13.0")
    monkeypatch.setattr(fleet_evaluation, "gpu_if_any", lambda: gpu)


@pytest.mark.usefixtures("node")
def test_what_has_an_engine_is_measured_and_what_has_none_is_named(references: HrSet) -> None:
    found = measure_here(FLEET, references, TWO)
    assert found.unmeasured == ("diinn-nano fp16 x2 on tensorrt-rtx: no engine for 48x32 was built",)
    assert found.evaluation is not None
    assert [(row.precision, row.scale) for row in found.evaluation.results] == [("fp32", 2)]
    assert found.evaluation.results[0].psnr_y is not None
    assert found.evaluation.machine["gpu"] == "a GPU"


@pytest.mark.usefixtures("node")
def test_the_page_tells_nodes_of_the_same_gpu_apart(references: HrSet) -> None:
    found = measure_here(FLEET, references, TWO).evaluation
    assert found is not None
    fleet = [dataclasses.replace(found, machine={**found.machine, "node": name}) for name in ("one", "two")]
    text = page(fleet)
    assert "diinn-nano fp32 (a GPU of one)" in text
    assert "diinn-nano fp32 (a GPU of two)" in text
    assert "a GPU of" not in page(fleet[:1])
