"""A network that a user brings as an ONNX file, read as foreign data.

Nothing outside the file's own folder is read, nothing in it is run here, and what this project cannot run in
tiles on every backend is refused by name.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from edge_sr.errors import CheckpointError, InputNotFoundError, first_line

LARGEST_BYTES = 1 << 30
# What makes large tensors out of small ones; a network for pictures needs none of them with a constant size.
LARGEST_CONSTANT = 1 << 26
OPSETS = range(11, 23)


def read_model(path: Path) -> onnx.ModelProto:
    """The model with all its data; ``CheckpointError`` says what is wrong or not taken."""
    if not path.is_file():
        raise InputNotFoundError(f"no such network: {path}")
    if path.stat().st_size > LARGEST_BYTES:
        raise CheckpointError(f"{path} is larger than the {LARGEST_BYTES >> 20} MB that are taken")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable ONNX file: {first_line(error)}") from error
    _refuse_structure(path, model)
    _load_data(path, model)
    _refuse_large_constants(path, model)
    _sort(model)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:  # it quotes names in its errors
        raise CheckpointError(f"{path} is not a valid ONNX model: {first_line(error)}") from error
    return model


def _refuse_structure(path: Path, model: onnx.ModelProto) -> None:
    if not model.graph.node:
        raise CheckpointError(f"{path} holds no network: its graph is empty")
    if model.functions:
        raise CheckpointError(f"{path} defines functions of its own; export it with plain operators")
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if opset not in OPSETS:
        raise CheckpointError(
            f"{path} is of opset {opset}, expected {OPSETS[0]} to {OPSETS[-1]}; export it anew"
        )
    for sparse in model.graph.sparse_initializer:
        raise CheckpointError(f"{path}: constant {sparse.values.name} is stored sparse; store it dense")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise CheckpointError(f"{path}: operator {node.domain}.{node.op_type} is not one of ONNX's own")
        if any(attribute.type in SUBGRAPHS for attribute in node.attribute):
            raise CheckpointError(
                f"{path}: operator {node.op_type} runs a graph of its own, which is not taken"
            )
        if any(attribute.type in SPARSE for attribute in node.attribute):
            raise CheckpointError(
                f"{path}: operator {node.op_type} holds values stored sparse; store them dense"
            )


def _sort(model: onnx.ModelProto) -> None:
    """Every node behind those that it reads: converters to float16 append theirs, which runs and is not valid."""
    nodes = list(model.graph.node)
    makers = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    reads = {i: [makers[name] for name in node.input if name in makers] for i, node in enumerate(nodes)}
    if all(maker < i for i, read in reads.items() for maker in read):
        return
    with contextlib.suppress(CycleError):  # which the checker names
        ordered = [copy.deepcopy(nodes[i]) for i in TopologicalSorter(reads).static_order()]
        del model.graph.node[:]
        model.graph.node.extend(ordered)


SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
SPARSE = (AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS)


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t


def _load_data(path: Path, model: onnx.ModelProto) -> None:
    folder = path.resolve().parent
    for tensor in _tensors(model):
        if uses_external_data(tensor):
            _check_place(path, folder, tensor)
            load_external_data_for_tensor(tensor, str(folder))
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]


def _check_place(path: Path, folder: Path, tensor: TensorProto) -> None:
    """The data must lie in the file's own folder, links followed, and be there whole."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    place = (folder / location).resolve()
    if not location or Path(location).is_absolute() or folder not in place.parents:
        raise CheckpointError(f"{path}: data of {tensor.name} lies outside its folder, at {location!r}")
    if not place.is_file():
        raise CheckpointError(f"{path}: data of {tensor.name} is missing: {location}")
    try:
        start, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
    except ValueError as error:
        raise CheckpointError(f"{path}: data of {tensor.name} has no readable place") from error
    if start < 0 or length < 0 or not start + length <= place.stat().st_size <= LARGEST_BYTES:
        raise CheckpointError(f"{path}: data of {tensor.name} reaches beyond {location}")


def _refuse_large_constants(path: Path, model: onnx.ModelProto) -> None:
    for tensor in _tensors(model):
        if math.prod(tensor.dims) > LARGEST_CONSTANT or any(side < 0 for side in tensor.dims):
            raise CheckpointError(
                f"{path}: constant {tensor.name} of {'x'.join(map(str, tensor.dims))} is too large"
            )
