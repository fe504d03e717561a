"""The encoder on a Jetson's deep-learning accelerator (DLA): what fits there, and what would fall back.

Limits from NVIDIA's "DLA Supported Layers and Restrictions": no dynamic dimensions, float16 or int8 only, at
most 8192 in each axis but the batch, and a short list of layers. TensorRT 10.3 (JetPack 6) has DLA, up to
10.7; JetPack 7's 10.16 has not; 11.4.1 has it again on AGX Orin. INT8 for DLA in TensorRT 10 comes from a
calibration cache, which Q/DQ graphs do not go with, so only float16 is built, weakly typed as DLA there asks. Not
run on a device.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sr.engines.build.network import NetworkLayer, ParsedGraph
from edge_sr.engines.target import TargetProfile
from edge_sr.errors import EngineError, MissingError, OptionError
from edge_sr.sizes import Size

LARGEST_AXIS = 8192

# TensorRT's layer kinds that DLA takes at all. Casts, shuffles and gathers stay with the GPU.
SUPPORTED = {
    *("ACTIVATION", "CONCATENATION", "CONVOLUTION", "DECONVOLUTION", "ELEMENTWISE", "LRN", "PARAMETRIC_RELU"),
    *("POOLING", "REDUCE", "RESIZE", "SCALE", "SLICE", "SOFTMAX", "UNARY"),
}


def require_dla(target: TargetProfile, precision: str, sizes: Sequence[Size]) -> None:
    """``OptionError`` when the target has no DLA core or the request is not one that DLA can take."""
    if target.dla_cores == 0:
        raise OptionError(f"{target.name} has no DLA core: leave out --dla")
    if precision == "int8":
        raise OptionError(
            "TensorRT 10 takes INT8 on DLA only from a calibration cache (a calibrated bundle's encoder.dla.cache), "
            "which strongly typed graphs do not use: build --dla with --precision fp16"
        )
    if precision != "fp16":
        raise OptionError(
            f"DLA computes in float16 or int8, not {precision}: build --dla with --precision fp16"
        )
    if len(sizes) != 1:
        raise OptionError("DLA has no dynamic shapes: give exactly one input size with --sizes WxH")


def off_dla(layers: Sequence[NetworkLayer]) -> list[str]:
    """Names of the layers that break a documented limit of DLA; constants cost nothing and are left out."""
    return [layer.name for layer in layers if layer.kind != "CONSTANT" and not _fits(layer)]


def _fits(layer: NetworkLayer) -> bool:
    shapes = layer.input_shapes + layer.output_shapes
    small = all(size <= LARGEST_AXIS for shape in shapes for size in shape[1:])
    return layer.kind in SUPPORTED and layer.dtype == "half" and small


def require_all_on_dla(graph: ParsedGraph, gpu_fallback: bool) -> list[str]:
    """The layers that fall back to the GPU; ``EngineError`` names them unless fallback is allowed."""
    if graph.dla_cores == 0:
        raise MissingError(
            f"TensorRT {graph.library.version} has no DLA here: JetPack 6 (10.3) has, 7.2 (10.16) has not"
        )
    left = graph.layers_off_dla()
    if left and not gpu_fallback:
        raise EngineError(
            f"{len(left)} layers cannot run on DLA: {', '.join(left[:8])}{', ...' if len(left) > 8 else ''}; "
            "allow them on the GPU with --dla-fallback, or build without --dla"
        )
    return left
