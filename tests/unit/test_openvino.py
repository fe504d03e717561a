"""OpenVINO: what it computes in is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.backends.openvino import runner as openvino_runner
from edge_sr.backends.registry import choose_backend
from edge_sr.bundle import Bundle
from edge_sr.errors import MissingError, OptionError
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

needs_openvino = pytest.mark.skipif(
    openvino_runner.obstacle() is not None, reason="OpenVINO is not installed"
)


@needs_openvino
def test_fp32_is_float32_and_bf16_is_not(nano: Bundle) -> None:
    picture = reference_card(61, 47).astype(np.float32) / 255
    results = {}
    for backend, precision in (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")):
        if precision in ("fp32", *openvino_runner.lowers()):
            with Upscaler(nano, backend=backend, precision=precision, threads=2) as up:
                results[backend, precision] = up(picture, scale="1.7")
    exact = results["onnxruntime", "fp32"]
    assert np.abs(results["openvino", "fp32"] - exact).max() < 1e-5
    rough = results.get(("openvino", "bf16"))
    if rough is not None:
        assert 1e-4 < np.abs(rough - exact).max() < 0.05


@needs_openvino
def test_float16_is_refused(nano: Bundle) -> None:
    with pytest.raises(OptionError, match="float16"):
        Upscaler(nano, backend="openvino", precision="fp16", threads=1)


def test_absence_names_the_extra(nano: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_runner, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"edge-sr\[openvino\]"):
        choose_backend("openvino", nano)
