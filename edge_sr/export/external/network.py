"""Any ONNX network from picture to picture as a bundle: read, probed, put behind the graph contract, compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto
from torch import Tensor, nn

from edge_sr.backends.single_graph.runner import RESAMPLING_REACH
from edge_sr.bundle import Bundle, check_new_folder, new_folder, write_description
from edge_sr.errors import CheckpointError, ParityError
from edge_sr.export.bundle import Identity
from edge_sr.export.external.contract import behind_contract
from edge_sr.export.external.frame_wide import frame_wide_operator
from edge_sr.export.external.gain import LEAST_GAIN_DB, Array, gain_db, padded_to
from edge_sr.export.external.model import read_model
from edge_sr.export.external.probe import Findings, Stated, probe, white_at
from edge_sr.export.graphs import with_uint8_pictures
from edge_sr.export.parity import CaseResult, Key, check_parity, open_graph
from edge_sr.export.receptive import given_inputs, receptive_radius
from edge_sr.export.single_graph import SIZES, PictureForm, describe
from edge_sr.files.drafts import scratch_folder
from edge_sr.machine.child import ended_by_sigterm
from edge_sr.models.luma import LumaNetwork
from edge_sr.spec import PublishedSpec
from edge_sr.tensors import reference_card

# Where shapes inside are computed, the graph does not say how much lives at one time.
LEAST_WORKING_BYTES = 1024
# Side in pixels of what a crop must show as the whole does.
CROP_SEEN = 32


def export_external(
    path: Path,
    identity: Identity,
    out: Path,
    stated: Stated,
    progress: Callable[[str], None] = lambda message: None,
) -> Bundle:
    """Write the FP32 bundle of the network in ``path`` into the new folder ``out``.

    ``stated`` narrows what is tried. Raises ``CheckpointError`` for a file that is unsound, hostile or no
    network for pictures, ``ParityError`` when the graph behind the contract gives another result.
    """
    check_new_folder(out)
    model = read_model(path)
    sides = _stated_sides(model)
    progress("trying layouts, ranges and sizes")
    findings = _probed(path, freed(model), stated, sides)
    progress(_sentence(findings))
    graph = behind_contract(model, findings)
    radius, how = _radius(graph, findings)
    progress(how)
    with new_folder(out) as draft:
        graphs: dict[Key, onnx.ModelProto] = {
            ("network", "fp32", "uint8"): with_uint8_pictures(graph),
            ("network", "fp32", "float"): graph,
        }
        cases = _compared(model, findings, graph)
        description = describe(_form(findings, graph, radius, how), identity, graphs, cases, draft)
        write_description(draft, description)
    return Bundle(out, description)


def freed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without fixed sides on its input and output: most are fixed by the exporter's example alone."""
    for value in (*given_inputs(model), *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for i, dim in enumerate(dims):
            if len(dims) == 4 and dim.dim_value not in (1, 3):
                dim.Clear()
                dim.dim_param = f"{value.name}.{i}"
    del model.graph.value_info[:]
    return model


def _stated_sides(model: onnx.ModelProto) -> str:
    """The one input's shape where it is fixed, such as ``1x3x224x224``."""
    inputs = given_inputs(model)
    for value in inputs if len(inputs) == 1 else ():
        sides = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if len(sides) == 4 and all(side > 0 for side in sides[2:]):
            return "x".join(str(side or 1) for side in sides)
    return ""


def _probed(path: Path, model: onnx.ModelProto, stated: Stated, sides: str) -> Findings:
    with ended_by_sigterm(), scratch_folder() as folder:
        plain = folder / path.name
        onnx.save_model(model, plain)
        try:
            return probe(plain, stated)
        except CheckpointError as error:
            fixed = f"; the file states {sides}: export it with free height and width" if sides else ""
            raise CheckpointError(str(error).replace(str(plain), str(path)) + fixed) from error


def _sentence(found: Findings) -> str:
    what = "luma" if found.channels == 1 else "RGB"
    return (
        f"{found.input} to {found.output}: {what}, {found.layout} {found.dtype}, {white_at(found)}, "
        f"x{found.scale}; {found.gain_db:+.1f} dB from bicubic on a test card"
        + (f"; sides padded to multiples of {found.multiple}" if found.multiple > 1 else "")
    )


def _radius(graph: onnx.ModelProto, found: Findings) -> tuple[int | None, str]:
    """Input pixels to either side, or None for the whole frame; and how that is known."""
    try:
        radius = receptive_radius(graph) + RESAMPLING_REACH + found.multiple - 1
        return radius, f"receptive field of {radius} pixels to either side, computed from the graph"
    except ParityError as error:
        reason = str(error).split(";")[0]
    radius = found.reach + RESAMPLING_REACH + found.multiple - 1
    operator = frame_wide_operator(graph)
    if operator:
        reason = f"operator {operator} reads all of it"
    elif found.reach >= 0 and _same_in_a_crop(graph, found, radius):
        return radius, f"receptive field of {radius} pixels to either side, measured, not computed ({reason})"
    return None, f"every pixel can depend on the whole frame, so frames run uncut ({reason})"


def _same_in_a_crop(graph: onnx.ModelProto, found: Findings, radius: int) -> bool:
    """Whether a dark picture stays the same where the brightest and darkest pixels lie beyond ``radius``."""
    rng = np.random.default_rng(0)
    seen = -(-CROP_SEEN // found.multiple) * found.multiple
    cut = -(-(seen + radius) // found.multiple) * found.multiple
    whole = rng.uniform(0, 0.2, (1, seen, 2 * cut, 3)).astype(np.float32)
    whole[:, :, cut:] = rng.integers(0, 2, whole[:, :, cut:].shape)
    session = open_graph(graph)
    in_whole, in_crop = (
        session.run(None, {"image": np.ascontiguousarray(image)})[0][:, :, : seen * found.scale]
        for image in (whole, whole[:, :, :cut])
    )
    return float(np.abs(in_whole - in_crop).max()) <= 1 / 255


def _compared(model: onnx.ModelProto, found: Findings, graph: onnx.ModelProto) -> list[CaseResult]:
    """The graph behind the contract against the network as it came, and against the picture it was shown."""
    own: nn.Module = AsItCame(model, found)
    own = own if found.channels == 3 else LumaNetwork(own, found.scale)
    wrapped, results = open_graph(graph), []
    for width, height in SIZES:
        width, height = (-(-side // found.multiple) * found.multiple for side in (width, height))
        unit = reference_card(width, height)[None].astype(np.float32) / np.float32(255)
        made = wrapped.run(None, {"image": unit})[0]
        wanted = own(torch.from_numpy(unit).permute(0, 3, 1, 2)).clamp(0, 1).permute(0, 2, 3, 1).numpy()
        results.append(CaseResult(f"{width}x{height}", float(np.abs(made - wanted).max())))
    _check_gain(wrapped, found)
    check_parity(
        results, 0, half=any(one.data_type == TensorProto.FLOAT16 for one in model.graph.initializer)
    )
    return results


def _check_gain(session: Any, found: Findings) -> None:
    """Both sides of the comparison believe the findings; the test card does not."""

    def run(picture: Array) -> Array:
        made: Array = session.run(None, {"image": picture[None]})[0][0]
        return made

    gain = gain_db(padded_to(found.multiple, found.scale, run), found.scale, 3)
    if not gain >= LEAST_GAIN_DB:
        raise ParityError(
            f"the graph behind the contract lies {gain:.1f} dB from bicubic, the network as it came "
            f"{found.gain_db:.1f}; expected {LEAST_GAIN_DB:.0f} or more; the bundle was not written"
        )


class AsItCame(nn.Module):
    """The external model itself between planes in [0, 1], what surrounds it computed in numpy."""

    def __init__(self, model: onnx.ModelProto, found: Findings) -> None:
        super().__init__()
        self._session, self._found = open_graph(model), found

    def forward(self, planes: Tensor) -> Tensor:
        found = self._found
        given = planes.numpy() * np.float32(found.top)
        given = given if found.layout == "NCHW" else given.transpose(0, 2, 3, 1)
        given = (given.round() if found.dtype == "uint8" else given).astype(found.dtype)
        made = self._session.run(None, {found.input: np.ascontiguousarray(given)})[0].astype(np.float32)
        made = made if found.layout == "NCHW" else made.transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(made)) / found.output_top


def _form(found: Findings, graph: onnx.ModelProto, radius: int | None, how: str) -> PictureForm:
    return PictureForm(
        description=PublishedSpec("", "onnx", dataclasses.asdict(found)),
        kind="refine" if found.scale == 1 else "fixed",
        scale=found.scale,
        multiple=found.multiple,
        parameters=sum(math.prod(value.dims) for value in graph.graph.initializer),
        radius=radius,
        against="the network as it came",
        least_bytes=LEAST_WORKING_BYTES,
        extra={"field": how},
    )
