"""The encoder on a Jetson's deep-learning accelerator (DLA): what is asked of it, and what would fall back.

Limits from NVIDIA's "DLA Supported Layers and Restrictions": no dynamic dimensions, float16 or int8 only; which layers
it takes, TensorRT says on the device. TensorRT 10.3 (JetPack 6) has DLA, up to
10.7; JetPack 7's 10.16 has not; 11.4.1 has it again on AGX Orin. INT8 for DLA in TensorRT 10 comes from a
calibration cache, which Q/DQ graphs do not go with, so only float16 is built, weakly typed as DLA there asks. Not
run on a device.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sr.engines.build.network import ParsedGraph
from edge_sr.engines.target import TargetProfile
from edge_sr.errors import EngineError, MissingError, OptionError
from edge_sr.sizes import Size


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
