"""The mean of several runs' weights."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.models.implicit.diinn import Diinn
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec
from edge_sr.training.state import save_weights

ROOT = Path(__file__).parents[3]
SMALL = NetworkSpec(
    "small", EncoderSpec("residual", channels=8, blocks=1), DecoderSpec(3, False, (12, 12), True)
)


def run(path: Path, spec: NetworkSpec, value: float) -> Path:
    save_weights(spec, {key: torch.full_like(t, value) for key, t in Diinn(spec).state_dict().items()}, path)
    return path


def average(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "export" / "average.py", *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_every_tensor_is_the_mean_and_the_description_stays(tmp_path: Path) -> None:
    first, second = (run(tmp_path / f"{value}.safetensors", SMALL, value) for value in (0.5, 1.0))
    done = average(first, second, "-o", tmp_path / "mean.safetensors")
    assert done.returncode == 0, done.stderr
    mean = load_checkpoint(tmp_path / "mean.safetensors")
    assert mean.spec == load_checkpoint(first).spec
    assert {float(value) for tensor in mean.tensors.values() for value in tensor.unique()} == {0.75}


@pytest.mark.parametrize("change", [{"widths": (12, 10)}, {"bilinear_base": False}])
def test_weights_of_two_forms_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    other = dataclasses.replace(SMALL, decoder=dataclasses.replace(SMALL.decoder, **change))
    first = run(tmp_path / "first.safetensors", SMALL, 1.0)
    second = run(tmp_path / "second.safetensors", other, 1.0)
    done = average(first, second, "-o", tmp_path / "mean.safetensors")
    assert done.returncode == 1 and not (tmp_path / "mean.safetensors").exists()
    assert done.stderr.startswith("average: expected weights of one form, found ")
    assert str(SMALL.decoder) in done.stderr and str(other.decoder) in done.stderr
