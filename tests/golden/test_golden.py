"""A tiny fixed network gives the pictures it always gave, on every CPU backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_pictures import CASES, FOLDER, Case, complaint, picture_of
from PIL import Image

from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import open_bundle
from edge_sr.upscaler import Upscaler

CPU = ("onnxruntime", "native", "openvino")


def golden(case: Case) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(FOLDER / f"{case.name}.png"))


@pytest.mark.parametrize("backend", CPU)
def test_the_pictures_are_the_golden_ones(backend: str, tmp_path: Path) -> None:
    bundle = open_bundle(FOLDER / "network")
    reason = BACKENDS[backend].unavailable_reason()
    if reason:
        pytest.skip(f"{backend}: {reason}")
    with Upscaler(bundle, backend=backend, precision="fp32", threads=2) as up:
        complaints = [complaint(picture_of(up, case), golden(case), case.name, tmp_path) for case in CASES]
    assert not any(complaints), "\n".join(filter(None, complaints))


def test_a_wrong_picture_explains_itself(tmp_path: Path) -> None:
    case = CASES[0]
    wrong = golden(case).copy()
    wrong[3, 5] = 255 - wrong[3, 5]
    said = complaint(wrong, golden(case), case.name, tmp_path)
    assert said is not None
    assert "at most (row 3, column 5)" in said
    assert "dB" in said
    with Image.open(tmp_path / "x2.png") as written:
        assert written.size == (3 * case.size[0], case.size[1])
    assert complaint(golden(case), golden(case), case.name, tmp_path) is None
    assert complaint(wrong[1:], golden(case), case.name, tmp_path) == "x2: expected 74x58, found 74x57"
