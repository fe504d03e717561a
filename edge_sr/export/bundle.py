"""A network as a bundle: every graph built, held against the reference, and written whole or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from edge_sr.errors import OptionError
from edge_sr.export.graphs import LR, TILE, build_graph, with_uint8_pictures
from edge_sr.export.parity import CaseResult, measure_parity
from edge_sr.export.receptive import receptive_radius
from edge_sr.export.split import SampledDecoder, SplitDecoder, SplitEncoder
from edge_sr.manifest import (
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
from edge_sr.models.diinn import Diinn, bias_of, first_convolutions
from edge_sr.spec import EncoderSpec, NetworkSpec

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
Key = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class Identity:
    """What the bundle is called and where its weights came from."""

    name: str
    version: str
    source: Source
    default_for: tuple[str, ...] = ()


def export_bundle(
    network: Diinn,
    identity: Identity,
    out: Path,
    precisions: Sequence[str] = ("fp32", "fp16"),
    progress: Callable[[str], None] = lambda message: None,
) -> Bundle:
    """Write the bundle of ``network`` into the new folder ``out`` and return it.

    FP32 is always there: all else is measured against it. Raises ``OptionError`` for an unknown precision,
    ``ParityError`` when a graph strays from the reference (nothing is written then).
    """
    precisions = checked_precisions(precisions)
    with new_folder(out) as draft:
        graphs = _build_all(network, precisions, progress)
        progress("parity with the reference")
        parity = measure_parity(network, graphs)
        description = _describe(network, identity, graphs, parity, draft)
        write_description(draft, description)
    return Bundle(out, description)


def checked_precisions(precisions: Sequence[str]) -> list[str]:
    """FP32 first, each once; ``OptionError`` for a precision that is not exported."""
    for precision in precisions:
        if precision not in DTYPES:
            raise OptionError(
                f"precision must be fp32 or fp16, found {precision!r}; int8 comes from: edge-sr calibrate"
            )
    return list(dict.fromkeys(["fp32", *precisions]))


def _build_all(
    network: Diinn, precisions: Iterable[str], progress: Callable[[str], None]
) -> dict[Key, onnx.ModelProto]:
    graphs: dict[Key, onnx.ModelProto] = {}
    builders = {"encoder": build_encoder, "decoder": build_decoder}
    if takes_sampled_maps(network):
        builders["decoder-sampled"] = build_sampled_decoder
    for precision in precisions:
        for role, build in builders.items():
            progress(f"{role} in {precision}")
            graph = build(network, precision)
            graphs[role, precision, "uint8"] = with_uint8_pictures(graph)
            graphs[role, precision, "float"] = graph
    return graphs


def takes_sampled_maps(network: Diinn) -> bool:
    """Whether the decoder has neither neighbourhood nor unfolding, so that a runner may sample its maps."""
    return network.spec.decoder.splits and network.spec.decoder.mode != 4


def build_encoder(network: Diinn, precision: str) -> onnx.ModelProto:
    """``image`` to ``maps``, the float pair's."""
    padded = "" if network.spec.decoder.splits else "+2"
    output = (1, network.spec.map_channels, f"h{padded}", f"w{padded}")
    return build_graph(
        SplitEncoder(network, DTYPES[precision]),
        {"image": (torch.zeros(1, *LR, 3), {1: "h", 2: "w"})},
        ("maps", output),
    )


def build_decoder(network: Diinn, precision: str) -> onnx.ModelProto:
    """``maps`` and positions to ``frame``, gathers included."""
    height, width = (side + 2 * network.halo for side in TILE)
    inputs: dict[str, Any] = {
        "maps": _maps_input(network, precision),
        "rows": (torch.zeros(height, dtype=torch.int32), {0: "Ht"}),
        "cols": (torch.zeros(width, dtype=torch.int32), {0: "Wt"}),
        "offset_y": (torch.zeros(1, 1, height, 1), {2: "Ht"}),
        "offset_x": (torch.zeros(1, 1, 1, width), {3: "Wt"}),
        "ratio": (torch.zeros(1, 1, 1, 1), {}),
    }
    if network.spec.decoder.bilinear_base:
        inputs["image"] = (torch.zeros(1, *LR, 3), {1: "h", 2: "w"})
    inner = "-2" if network.halo else ""
    output = ("frame", (1, f"Ht{inner}", f"Wt{inner}", 3))
    return build_graph(SplitDecoder(network, DTYPES[precision]), inputs, output)


def build_sampled_decoder(network: Diinn, precision: str) -> onnx.ModelProto:
    """``maps`` at the output grid, positions and ``base`` to ``frame``; offsets broadcast over the tile."""
    height, width = TILE
    maps = torch.zeros(1, network.spec.map_channels, height, width, dtype=DTYPES[precision])
    inputs: dict[str, Any] = {
        "maps": (maps, {2: "Ht", 3: "Wt"}),
        "offset_y": (torch.zeros(1, 1, height, 1), {2: "Ht"}),
        "offset_x": (torch.zeros(1, 1, 1, width), {3: "Wt"}),
        "ratio": (torch.zeros(1, 1, 1, 1), {}),
    }
    if network.spec.decoder.bilinear_base:
        inputs["base"] = (torch.zeros(1, 3, height, width), {2: "Ht", 3: "Wt"})
    output = ("frame", (1, "Ht", "Wt", 3))
    model = build_graph(SampledDecoder(network, DTYPES[precision]), inputs, output)
    _free_offsets(model)
    return model


def _free_offsets(model: onnx.ModelProto) -> None:
    """Let offsets have an axis of their own: the graph only ever broadcasts them against the maps."""
    for value in model.graph.input:
        if value.name in ("offset_y", "offset_x"):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param:
                    dim.dim_param = value.name


def _maps_input(network: Diinn, precision: str) -> tuple[torch.Tensor, dict[int, str]]:
    spec = network.spec
    if spec.decoder.splits:
        return torch.zeros(1, spec.map_channels, *LR, dtype=DTYPES[precision]), {2: "h", 3: "w"}
    height, width = (side + 2 for side in LR)
    # The base's image has another size than the padded maps, hence names of their own.
    return torch.zeros(1, spec.map_channels, height, width, dtype=DTYPES[precision]), {2: "hp", 3: "wp"}


def _describe(
    network: Diinn,
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
        network=dataclasses.replace(network.spec, name=identity.name, parameters=0),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        radius=receptive_radius(graphs["encoder", "fp32", "uint8"]),
        working_bytes=bytes_per_pixel(network.spec),
        halo=network.halo,
        source=identity.source,
        graphs=tuple(write_graph(key, model, parity, folder) for key, model in graphs.items()),
        weights=_write_weights(network, folder) if takes_sampled_maps(network) else None,
        default_for=identity.default_for,
        parity={
            "against": "the reference in PyTorch",
            "cases": [dataclasses.asdict(case) for case in parity],
        },
    )


def bytes_per_pixel(network: NetworkSpec) -> int:
    """Float32 maps and live activations for one LR pixel, an upper estimate."""
    return 4 * (2 * network.map_channels + _activations(network.encoder))


def _activations(encoder: EncoderSpec) -> int:
    if encoder.kind != "rdn":
        return 4 * encoder.channels
    dense = encoder.channels + encoder.layers * encoder.growth
    return 2 * dense + encoder.blocks * encoder.channels


def graph_file(role: str, precision: str, io: str) -> str:
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


def _write_weights(network: Diinn, folder: Path) -> Weights:
    """The decoder's own weights, float32: ``synthesis.{i}``, ``modulation.{i}`` (its half on ``q``), ``last``."""
    arrays: dict[str, Any] = {}
    decoder, spec = network.decoder, network.spec.decoder
    for i, layer in enumerate(first_convolutions(decoder.Q)):
        arrays[f"synthesis.{i}.weight"] = _matrix(layer.weight)
        arrays[f"synthesis.{i}.bias"] = bias_of(layer).detach().numpy()
    if spec.modulated_by_synthesis:
        for i, layer in enumerate(first_convolutions(decoder.K)[1:], 1):
            arrays[f"modulation.{i}.weight"] = _matrix(layer.weight[:, : spec.widths[i - 1]])
    arrays["last.weight"] = _matrix(decoder.last_layer.weight)
    arrays["last.bias"] = bias_of(decoder.last_layer).detach().numpy()
    path = folder / "decoder.npz"
    np.savez(path, **arrays)
    return Weights(path.name, file_sha256(path))


def _matrix(weight: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(weight.detach().numpy()[:, :, 0, 0])
