"""ONNX networks whose input and output have different values for white."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper
from support.external_onnx import IDENTITY, model

from edge_sr.errors import ParityError
from edge_sr.export.external import network
from edge_sr.export.external.network import export_external
from edge_sr.export.external.probe import Findings, Stated, probe
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

FRAME = reference_card(61, 47)


def with_levels(made: onnx.ModelProto, taken: str, given: str) -> onnx.ModelProto:
    """The network of floats in [0, 1] with levels at one end: uint8 ones, or floats up to 255."""
    graph = made.graph
    before, after = graph.input[0], graph.output[0]
    for name, value in (("c0", 0), ("c255", 255)):
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    if taken == "uint8":
        before.type.tensor_type.elem_type = TensorProto.UINT8
        graph.node.insert(0, helper.make_node("Div", ["as.float", "c255"], [before.name]))
        graph.node.insert(0, helper.make_node("Cast", ["levels"], ["as.float"], to=TensorProto.FLOAT))
        before.name = "levels"
    if given != "float":
        graph.node.append(helper.make_node("Mul", [after.name, "c255"], ["stretched"]))
        after.name = "stretched"
    if given == "uint8":
        after.type.tensor_type.elem_type = TensorProto.UINT8
        graph.node.append(helper.make_node("Round", ["stretched"], ["rounded"]))
        graph.node.append(helper.make_node("Clip", ["rounded", "c0", "c255"], ["clipped"]))
        graph.node.append(helper.make_node("Cast", ["clipped"], ["cast"], to=TensorProto.UINT8))
        after.name = "cast"
    return made


def exported(made: onnx.ModelProto, folder: Path, stated: Stated) -> Any:
    folder.mkdir()
    onnx.save_model(made, folder / "net.onnx")
    return export_external(folder / "net.onnx", IDENTITY, folder / "out", stated)


@pytest.mark.parametrize(("layout", "channels"), [("NCHW", 3), ("NHWC", 3), ("NCHW", 1)])
@pytest.mark.parametrize(("taken", "given"), [("float", "uint8"), ("uint8", "float"), ("float", "255")])
def test_the_output_has_a_white_of_its_own(
    tmp_path: Path, layout: str, channels: int, taken: str, given: str
) -> None:
    top = 255 if taken == "uint8" else 1
    plain = exported(model(layout=layout, channels=channels), tmp_path / "plain", Stated(top=1))
    levels = with_levels(model(layout=layout, channels=channels), taken, given)
    bundle = exported(levels, tmp_path / "levels", Stated(top=top))
    options = bundle.description.network.options
    assert (options["top"], options["output_top"]) == (top, 1 if given == "float" else 255)
    settings: dict[str, Any] = {"backend": "onnxruntime", "precision": "fp32"}
    with Upscaler(bundle, **settings) as one, Upscaler(plain, **settings) as other:
        # A luma network's levels are rounded and cut before the picture has its colours back.
        assert np.abs(one(FRAME, scale=2).astype(int) - other(FRAME, scale=2)).max() <= 3


def test_a_contract_that_belies_the_trial_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misread(*given: Any) -> Findings:
        return dataclasses.replace(probe(*given), output_top=255)

    monkeypatch.setattr(network, "probe", misread)
    with pytest.raises(ParityError, match="dB from bicubic"):
        exported(model(), tmp_path / "net", Stated(top=1))
    assert not (tmp_path / "net" / "out").exists()
