"""A network as a bundle: every graph built, held against the reference, and written whole or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from edge_sr.bundle import (
    SCHEMA,
    Bundle,
    Description,
    Graph,
    Port,
    Source,
    Weights,
    file_sha256,
    new_folder,
    write_description,
)
from edge_sr.errors import OptionError
from edge_sr.export.graphs import LR, TILE, build_graph, with_uint8_pictures
from edge_sr.export.parity import CaseResult, Key, accepted, measure_parity
from edge_sr.export.receptive import receptive_radius
from edge_sr.export.split.diinn_form import diinn_form
from edge_sr.export.split.form import Form, Input, inputs_of
from edge_sr.export.split.liif import liif_form
from edge_sr.export.split.metasr import metasr_form
from edge_sr.kinds import Precision, Role, SampleType, StoredPrecision
from edge_sr.models.implicit.diinn import Diinn
from edge_sr.models.implicit.liif import Liif
from edge_sr.models.implicit.metasr import MetaSr
from edge_sr.spec import EncoderSpec

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
EXPORTED: tuple[Precision, ...] = ("fp32", "fp16")
# The implicit networks, each with the way to cut it in two.
FORMS: dict[type[nn.Module], Callable[[Any], Form]] = {
    Diinn: diinn_form,
    Liif: liif_form,
    MetaSr: metasr_form,
}


@dataclasses.dataclass(frozen=True)
class Identity:
    """What the bundle is called and where its weights came from."""

    name: str
    version: str
    source: Source
    default_for: tuple[str, ...] = ()


def export_bundle(
    network: nn.Module,
    identity: Identity,
    out: Path,
    precisions: Sequence[str] = ("fp32", "fp16"),
    progress: Callable[[str], None] = lambda message: None,
) -> Bundle:
    """Write the bundle of ``network``, one of ``FORMS``, into the new folder ``out`` and return it.

    FP32 is always there: all else is measured against it. FP16 graphs that fall short are left out, which
    ``progress`` is told. Raises ``OptionError`` for an unknown precision, ``ParityError`` when an FP32 graph strays
    from the reference (nothing is written then).
    """
    wanted = checked_precisions(precisions)
    with new_folder(out) as draft:
        form = FORMS[type(network)](network)
        graphs = _build_all(form, wanted, progress)
        progress("parity with the reference")
        parity = measure_parity(network, graphs, form.halo)
        graphs = accepted(graphs, parity, progress)
        count = sum(parameter.numel() for parameter in network.parameters())
        description = _describe(form, count, identity, graphs, parity, draft)
        write_description(draft, description)
    return Bundle(out, description)


def checked_precisions(precisions: Sequence[str]) -> list[Precision]:
    """FP32 first, each once; ``OptionError`` for a precision that is not exported."""
    for precision in precisions:
        if precision not in DTYPES:
            raise OptionError(
                f"precision must be fp32 or fp16, found {precision!r}; int8 comes from: edge-sr calibrate"
            )
    return [name for name in EXPORTED if name == "fp32" or name in precisions]


def _build_all(
    form: Form, precisions: Iterable[Precision], progress: Callable[[str], None]
) -> dict[Key, onnx.ModelProto]:
    graphs: dict[Key, onnx.ModelProto] = {}
    builders: dict[Role, Callable[[Form, str], onnx.ModelProto]] = {
        "encoder": build_encoder,
        "decoder": build_decoder,
    }
    if form.sampled is not None:
        builders["decoder-sampled"] = build_sampled_decoder
    for precision in precisions:
        for role, build in builders.items():
            progress(f"{role} in {precision}")
            graph = build(form, precision)
            graphs[role, precision, "uint8"] = with_uint8_pictures(graph)
            graphs[role, precision, "float"] = graph
    return graphs


def build_encoder(form: Form, precision: str) -> onnx.ModelProto:
    """``image`` to ``maps``, the float pair's."""
    padded = f"+{2 * form.padding}" if form.padding else ""
    return build_graph(
        form.encoder(DTYPES[precision]),
        inputs_of(("image",)),
        ("maps", (1, form.channels, f"h{padded}", f"w{padded}")),
    )


def build_decoder(form: Form, precision: str) -> onnx.ModelProto:
    """``maps`` and positions to ``frame``, gathers included."""
    inputs = {"maps": _maps_input(form, precision), **inputs_of(form.positions, form.halo)}
    inner = f"-{2 * form.halo}" if form.halo else ""
    output = ("frame", (1, f"Ht{inner}", f"Wt{inner}", 3))
    return build_graph(form.decoder(DTYPES[precision]), inputs, output)


def build_sampled_decoder(form: Form, precision: str) -> onnx.ModelProto:
    """``maps`` at the output grid, positions and ``base`` to ``frame``; offsets broadcast over the tile."""
    assert form.sampled is not None
    module, positions = form.sampled
    maps = torch.zeros(1, form.channels, *TILE, dtype=DTYPES[precision])
    inputs = {"maps": (maps, {2: "Ht", 3: "Wt"}), **inputs_of(positions)}
    model = build_graph(module(DTYPES[precision]), inputs, ("frame", (1, "Ht", "Wt", 3)))
    _free_offsets(model)
    return model


def _free_offsets(model: onnx.ModelProto) -> None:
    """Let offsets have an axis of their own: the graph only ever broadcasts them against the maps."""
    for value in model.graph.input:
        if value.name in ("offset_y", "offset_x"):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param:
                    dim.dim_param = value.name


def _maps_input(form: Form, precision: str) -> Input:
    height, width = (side + 2 * form.padding for side in LR)
    # The base's image has another size than padded maps, hence names of their own.
    names = ("hp", "wp") if form.padding else ("h", "w")
    maps = torch.zeros(1, form.channels, height, width, dtype=DTYPES[precision])
    return maps, {2: names[0], 3: names[1]}


def _describe(
    form: Form,
    parameters: int,
    identity: Identity,
    graphs: dict[Key, onnx.ModelProto],
    parity: list[CaseResult],
    folder: Path,
) -> Description:
    return Description(
        schema=SCHEMA,
        kind="implicit",
        name=identity.name,
        version=identity.version,
        network=dataclasses.replace(form.description, name=identity.name, parameters=0),
        parameters=parameters,
        radius=receptive_radius(graphs["encoder", "fp32", "uint8"]) + form.reach,
        working_bytes=bytes_per_pixel(form),
        halo=form.halo,
        macs=form.macs,
        source=identity.source,
        graphs=tuple(write_graph(key, model, parity, folder) for key, model in graphs.items()),
        weights=None if form.weights is None else _write_weights(form.weights(), folder),
        default_for=identity.default_for,
        parity={
            "against": "the reference in PyTorch",
            "cases": [dataclasses.asdict(case) for case in parity],
        },
    )


def bytes_per_pixel(form: Form) -> int:
    """Float32 maps and live activations for one LR pixel, an upper estimate."""
    return 4 * (2 * form.channels + _activations(form.features))


def _activations(encoder: EncoderSpec) -> int:
    if encoder.kind != "rdn":
        return 4 * encoder.channels
    dense = encoder.channels + encoder.layers * encoder.growth
    return 2 * dense + encoder.blocks * encoder.channels


def graph_file(role: Role, precision: StoredPrecision, io: SampleType) -> str:
    """File name of a graph in its bundle."""
    return f"{role}.{precision}.onnx" if io == "uint8" else f"{role}.{precision}.float.onnx"


def write_graph(key: Key, model: onnx.ModelProto, parity: list[CaseResult], folder: Path) -> Graph:
    """Save the graph into ``folder``; what ``bundle.json`` says of it."""
    role, precision, io = key
    path = folder / graph_file(*key)
    onnx.save_model(model, path)
    half = precision == "fp16"
    return Graph(
        file=path.name,
        role=role,
        precision=precision,
        io=io,
        sha256=file_sha256(path),
        inputs=tuple(describe_port(value) for value in model.graph.input),
        outputs=tuple(describe_port(value) for value in model.graph.output),
        psnr_db=min(case.fp16_db or 0.0 for case in parity) if half else None,
        levels=max(case.fp16_levels or 0 for case in parity) if half else None,
    )


def describe_port(value: onnx.ValueInfoProto) -> Port:
    """An input or output as ``bundle.json`` states it."""
    tensor = value.type.tensor_type
    dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return Port(value.name, dtype, tuple(dim.dim_param or dim.dim_value for dim in tensor.shape.dim))


def _write_weights(arrays: dict[str, NDArray[np.float32]], folder: Path) -> Weights:
    path = folder / "decoder.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return Weights(path.name, file_sha256(path))
