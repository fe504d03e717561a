"""A network from picture to picture as a bundle: one graph, held against the network in PyTorch."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_sr.backends.single_graph.runner import RESAMPLING_REACH
from edge_sr.bundle import SCHEMA, Bundle, Description, new_folder, write_description
from edge_sr.export.bundle import DTYPES, Identity, checked_precisions, write_graph
from edge_sr.export.graphs import LR, build_graph, with_uint8_pictures
from edge_sr.export.parity import CaseResult, Key, accepted, check_parity, decibels, open_graph, with_fp16
from edge_sr.export.receptive import receptive_radius
from edge_sr.export.rounding import rounding_twin
from edge_sr.export.split.diinn import planes
from edge_sr.kinds import BundleKind, Precision, SampleType
from edge_sr.models.families import family_of, picture_network, scale_of
from edge_sr.sizes import size_text
from edge_sr.spec import PublishedSpec
from edge_sr.tensors import reference_card

SIZES: tuple[tuple[int, int], ...] = ((23, 17), (17, 22), (16, 16), (40, 31))


class PictureGraph(nn.Module):
    """``image``, ``1 x h x w x 3`` float32 in [0, 1], to ``frame`` of the same kind, clipped."""

    def __init__(self, spec: PublishedSpec, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = picture_network(spec, InDtype(copy.deepcopy(network), dtype))

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.network(planes(image))
        return result.clamp(0.0, 1.0).permute(0, 2, 3, 1)


class InDtype(nn.Module):
    """``network`` computed in ``dtype`` between float32 pictures."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network.to(dtype), dtype

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.network(x.to(self.dtype))
        return result.to(torch.float32)


def export_picture_network(
    spec: PublishedSpec,
    network: nn.Module,
    identity: Identity,
    out: Path,
    precisions: Sequence[str] = ("fp32", "fp16"),
    progress: Callable[[str], None] = lambda message: None,
) -> Bundle:
    """Write the bundle of a ``fixed`` or ``refine`` network into the new folder ``out``.

    Raises what ``export_bundle`` raises.
    """
    precisions = checked_precisions(precisions)
    with new_folder(out) as draft:
        graphs: dict[Key, onnx.ModelProto] = {}
        for precision in precisions:
            progress(f"network in {precision}")
            graph = build_network_graph(spec, network, precision)
            graphs["network", precision, "uint8"] = with_uint8_pictures(graph)
            graphs["network", precision, "float"] = graph
        progress("parity with the reference")
        cases = measure(spec, network, graphs)
        graphs = accepted(graphs, cases, progress)
        form = _form(spec, network, graphs["network", "fp32", "float"])
        description = describe(form, identity, graphs, cases, draft)
        write_description(draft, description)
    return Bundle(out, description)


def build_network_graph(spec: PublishedSpec, network: nn.Module, precision: str) -> onnx.ModelProto:
    """``image`` to ``frame``, the float pair's."""
    times = scale_of(spec)
    sides = ("h", "w") if times == 1 else (f"{times}*h", f"{times}*w")
    image = (torch.zeros(1, *LR, 3), {1: "h", 2: "w"})
    return build_graph(
        PictureGraph(spec, network, DTYPES[precision]), {"image": image}, ("frame", (1, *sides, 3))
    )


def measure(
    spec: PublishedSpec, network: nn.Module, graphs: Mapping[Key, onnx.ModelProto]
) -> list[CaseResult]:
    """The graphs against the network in PyTorch at a few sizes; ``ParityError`` as ``measure_parity``."""
    sessions = {
        key: open_graph(rounding_twin(model) if "fp16" in key else model) for key, model in graphs.items()
    }
    reference = PictureGraph(spec, network, torch.float32).eval()
    results = [_case(reference, sessions, size) for size in SIZES]
    check_parity(results, sum(parameter.numel() for parameter in network.parameters()))
    return results


def _case(reference: nn.Module, sessions: Mapping[Key, Any], size: tuple[int, int]) -> CaseResult:
    levels = reference_card(*size)[None]
    unit = levels.astype(np.float32) / np.float32(255)

    def run(precision: Precision, io: SampleType) -> NDArray[Any]:
        result: NDArray[Any] = sessions["network", precision, io].run(
            None, {"image": levels if io == "uint8" else unit}
        )[0]
        return result

    with torch.inference_mode():
        wanted = reference(torch.from_numpy(unit)).numpy()
    exact, name = run("fp32", "float"), size_text(size)
    difference = float(np.abs(exact - wanted).max())
    if ("network", "fp16", "float") not in sessions:
        return CaseResult(name, difference)
    steps = run("fp16", "uint8").astype(int) - run("fp32", "uint8")
    return with_fp16(CaseResult(name, difference), decibels(exact, run("fp16", "float")), steps)


@dataclasses.dataclass(frozen=True)
class PictureForm:
    """All that a bundle needs to know of a network from picture to picture beside its graphs.

    ``radius``: input pixels around its own that an output reads, None where it reads the whole frame;
    ``against``: what the cases of parity compare with; ``least_bytes``: working bytes to assume at least;
    ``multiple``: what its sides must be multiples of.
    """

    description: PublishedSpec
    kind: BundleKind
    scale: int
    parameters: int
    radius: int | None
    against: str
    least_bytes: int = 0
    multiple: int = 1
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


def _form(spec: PublishedSpec, network: nn.Module, graph: onnx.ModelProto) -> PictureForm:
    return PictureForm(
        description=spec,
        kind=family_of(spec).kind,
        scale=scale_of(spec),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        radius=receptive_radius(graph) + RESAMPLING_REACH,
        against="the network in PyTorch",
    )


def describe(
    form: PictureForm,
    identity: Identity,
    graphs: Mapping[Key, onnx.ModelProto],
    cases: list[CaseResult],
    folder: Path,
) -> Description:
    """Save the graphs into ``folder``; what ``bundle.json`` says of them."""
    graph = graphs["network", "fp32", "float"]
    work = multiply_adds(graph)
    return Description(
        schema=SCHEMA,
        kind=form.kind,
        name=identity.name,
        version=identity.version,
        network=dataclasses.replace(form.description, name=identity.name, parameters=0),
        parameters=form.parameters,
        radius=form.radius or 0,
        whole_frames=form.radius is None,
        working_bytes=max(working_bytes(graph), form.least_bytes),
        scale=form.scale,
        multiple=form.multiple,
        # A refining network's input has the output's size.
        macs=(0, work) if form.kind == "refine" else (work, 0),
        source=identity.source,
        graphs=tuple(write_graph(key, model, cases, folder) for key, model in graphs.items()),
        default_for=identity.default_for,
        parity={"against": form.against, "cases": [dataclasses.asdict(case) for case in cases]},
        extra=form.extra,
    )


def working_bytes(model: onnx.ModelProto) -> int:
    """Float32 bytes of the two widest tensors together, for one pixel of the input: what lives at one time."""
    sizes = sorted(_values(model).values())
    return 4 * math.ceil(sum(sizes[-2:]) / (LR[0] * LR[1]))


def multiply_adds(model: onnx.ModelProto) -> int:
    """Those of all convolutions, for one pixel of the input."""
    weights = {value.name: math.prod(value.dims[1:]) for value in model.graph.initializer}
    values = _values(model)
    total = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            # A weight's first axis is that of the side whose every value meets all of the rest.
            met = node.output[0] if node.op_type == "Conv" else node.input[0]
            total += values.get(met, 0) * weights.get(node.input[1], 0)
    return round(total / (LR[0] * LR[1]))


def _values(model: onnx.ModelProto) -> dict[str, int]:
    """How many values each tensor inside has for an input of the size ``LR``."""
    typed = onnx.shape_inference.infer_shapes(_with_size(model, LR), data_prop=True)
    return {
        value.name: math.prod(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in typed.graph.value_info
    }


def _with_size(model: onnx.ModelProto, size: tuple[int, int]) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    for dim, length in zip(copied.graph.input[0].type.tensor_type.shape.dim, (1, *size, 3), strict=True):
        dim.Clear()
        dim.dim_value = length
    for dim in copied.graph.output[0].type.tensor_type.shape.dim:
        dim.Clear()
    return copied
