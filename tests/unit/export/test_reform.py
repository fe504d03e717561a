"""A network of another form begun from a trained one."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from edge_sr.errors import CheckpointError
from edge_sr.models.implicit.diinn import Diinn
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec

ROOT = Path(__file__).parents[3]
SMALL = NetworkSpec(
    "small", EncoderSpec("residual", channels=8, blocks=1), DecoderSpec(3, False, (12, 12), True)
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reform", ROOT / "export" / "reform.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reform"] = module
    spec.loader.exec_module(module)
    return module


def of(widths: tuple[int, ...], blocks: int) -> NetworkSpec:
    encoder = dataclasses.replace(SMALL.encoder, blocks=blocks)
    return dataclasses.replace(
        SMALL, encoder=encoder, decoder=dataclasses.replace(SMALL.decoder, widths=widths)
    )


@pytest.fixture
def trained() -> Diinn:
    torch.manual_seed(4)
    return Diinn(SMALL).eval()


def test_more_blocks_change_nothing_at_first(script: ModuleType, trained: Diinn) -> None:
    pictures = torch.rand(2, 3, 16, 16)
    grown = script.reform(trained, of((12, 12), 3), pictures)
    assert len(grown.state_dict()) > len(trained.state_dict())
    assert torch.equal(grown(pictures, (37, 29)), trained(pictures, (37, 29)))


def test_units_that_do_nothing_go_first(script: ModuleType, trained: Diinn) -> None:
    with torch.no_grad():
        for index, idle in ((0, [1, 5, 6]), (1, [0, 11, 3])):
            trained.get_parameter(f"decoder.K.{index}.0.weight")[idle] = 0
            trained.get_parameter(f"decoder.K.{index}.0.bias")[idle] = 0
    pictures = torch.rand(2, 3, 16, 16)
    narrow = script.reform(trained, of((9, 9), 1), pictures)
    difference = (narrow(pictures, (37, 29)) - trained(pictures, (37, 29))).abs().max()
    assert difference < 1e-6


def test_a_form_that_is_not_smaller_is_refused(script: ModuleType, trained: Diinn) -> None:
    wide = dataclasses.replace(SMALL, encoder=EncoderSpec("residual", channels=10, blocks=1))
    for spec in (of((12, 16), 1), of((12,), 1), wide):
        with pytest.raises(CheckpointError, match="none wider"):
            script.reform(trained, spec, torch.rand(1, 3, 16, 16))
