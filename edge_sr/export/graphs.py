"""A module of the split form as an ONNX graph: exported, simplified, checked."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edge_sr.errors import ParityError
from edge_sr.export.operators import check_operators
from edge_sr.machine.optional import require

# ONNX Runtime 1.23, the newest for Python 3.10, and TensorRT 10.3 read these.
OPSET = 19
IR_VERSION = 9

# One example size for all; the axes are dynamic, the values never matter.
LR, TILE = (24, 28), (12, 20)

Axes = Mapping[int, str]


def build_graph(
    module: nn.Module, inputs: Mapping[str, tuple[Tensor, Axes]], output: tuple[str, Sequence[Any]]
) -> onnx.ModelProto:
    """Export ``module`` with named inputs, each an example and its dynamic axes, and one named output.

    The result is simplified by onnx-simplifier and checked by ONNX and against the operator list. Raises
    ``ParityError`` when simplification changed the graph's results.
    """
    name, shape = output
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(example for example, _ in inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=[name],
            dynamic_shapes=_dynamic_shapes(inputs),
        )
    assert program is not None
    model = _simplified(program.model_proto)
    _restore_biases(model, module)
    model.ir_version = IR_VERSION
    _strip_notes(model)
    _name_input_axes(model, inputs)
    _name_output_axes(model, shape)
    onnx.checker.check_model(model, full_check=True)
    check_operators(model)
    return model


def with_uint8_pictures(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with ``image`` and ``frame`` as uint8 levels where it has them as float32 in [0, 1].

    Casts stand outermost, since TensorRT for RTX does not transpose uint8. Levels are rounded half to even.
    """
    levels = onnx.ModelProto()
    levels.CopyFrom(model)
    graph = levels.graph
    graph.initializer.append(numpy_helper.from_array(np.array(255, np.float32), "levels"))
    for value in [*graph.input, *graph.output]:
        if value.name in ("image", "frame"):
            value.type.tensor_type.elem_type = TensorProto.UINT8
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*_from_levels(nodes), *nodes, *_to_levels(nodes)])
    onnx.checker.check_model(levels, full_check=True)
    return levels


def _from_levels(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    readers = [node for node in nodes if "image" in node.input]
    for node in readers:
        node.input[:] = ["image.unit" if name == "image" else name for name in node.input]
    if not readers:
        return []
    return [
        helper.make_node("Cast", ["image"], ["image.levels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["image.levels", "levels"], ["image.unit"]),
    ]


def _to_levels(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    if "frame" not in nodes[-1].output:
        return []
    nodes[-1].output[:] = ["frame.unit"]
    return [
        helper.make_node("Mul", ["frame.unit", "levels"], ["frame.levels"]),
        helper.make_node("Round", ["frame.levels"], ["frame.rounded"]),
        helper.make_node("Cast", ["frame.rounded"], ["frame"], to=TensorProto.UINT8),
    ]


def _dynamic_shapes(inputs: Mapping[str, tuple[Tensor, Axes]]) -> tuple[dict[int, Any], ...]:
    names = {name for _, axes in inputs.values() for name in axes.values()}
    dims = {name: torch.export.Dim(name, min=2, max=65536) for name in sorted(names)}
    return tuple({axis: dims[name] for axis, name in axes.items()} for _, axes in inputs.values())


def _simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    onnxsim = require("onnxsim", "edge-sr export")
    simplified, sound = onnxsim.simplify(model)
    if not sound:
        raise ParityError(
            "onnx-simplifier changed the graph's results; export with another release of onnxsim"
        )
    result: onnx.ModelProto = simplified
    return result


def _restore_biases(model: onnx.ModelProto, module: nn.Module) -> None:
    """Put back biases that are all zeros, as in a residual block that does nothing yet: the exporter leaves them out.

    What runs a bundle looks for the tensors of every layer by name.
    """
    zeros = {name: values for name, values in module.state_dict().items() if not values.any()}
    for node in model.graph.node:
        bias = f"{node.input[1].removesuffix('.weight')}.bias" if node.op_type == "Conv" else ""
        if bias in zeros and len(node.input) == 2:
            node.input.append(bias)
            model.graph.initializer.append(numpy_helper.from_array(zeros[bias].numpy(), bias))


def _strip_notes(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes for debugging: paths of the machine it ran on, and a third of the file."""
    model.doc_string = ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]


def _name_input_axes(model: onnx.ModelProto, inputs: Mapping[str, tuple[Tensor, Axes]]) -> None:
    """Axes that the exporter found no relation for lose their names; TensorRT takes equal names for equal lengths."""
    for value in model.graph.input:
        for axis, name in inputs[value.name][1].items():
            value.type.tensor_type.shape.dim[axis].dim_param = name


def _name_output_axes(model: onnx.ModelProto, shape: Sequence[Any]) -> None:
    dims = model.graph.output[0].type.tensor_type.shape.dim
    for dim, size in zip(dims, shape, strict=True):
        dim.Clear()
        if isinstance(size, str):
            dim.dim_param = size
        else:
            dim.dim_value = size


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter narrates on stdout and warns of torchvision; a result that fails raises all the same."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
