"""The scale table as a TensorRT calibration cache, which is how JetPack 6's DLA takes INT8.

It belongs to the encoder without Q/DQ nodes: one line a tensor, the value of one level as the bits of a float32.
Equalisation leaves the channel of the largest values alone, so a range of the table holds for that graph too.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import onnx

from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.ranges.levels import QDQ_SCHEMES, Range, Scale

# TensorRT 10.3, the one of JetPack 6; it refuses a cache of another version or algorithm.
HEADER = "TRT-100300-EntropyCalibration2"


def cache_text(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> str:
    """Scales of every tensor of ``model`` that the table knows, symmetric int8, in the graph's order."""
    points = GraphMap(model).points
    lines = [
        f"{tensor}: {_bits(Scale.of(ranges[point], QDQ_SCHEMES['int8']).scale)}"
        for tensor, point in points.items()
        if point in ranges
    ]
    return "\n".join([HEADER, *lines]) + "\n"


def _bits(scale: float) -> str:
    return struct.pack(">f", scale).hex()
