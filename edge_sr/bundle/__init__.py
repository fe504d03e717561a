"""Bundles: folders of graphs that ``bundle.json`` describes, portable and free of any device.

NAME/bundle.json                what it is, where its weights came from, every file with its SHA-256
NAME/encoder.fp32.onnx          uint8 pair: ``image`` to ``maps`` ...
NAME/decoder.fp32.onnx          ... ``maps`` to ``frame``
NAME/encoder.fp32.float.onnx    the float pair, for video deeper than 8 bits
NAME/decoder-sampled.fp32.onnx  the decoder without its gathers, for runners that sample the maps themselves
NAME/decoder.npz                the decoder's float32 weights, for decoders that are no graph
"""

from __future__ import annotations

from edge_sr.bundle.description import DESCRIPTION, SCHEMA, Description, Graph, Port, Source, Weights
from edge_sr.bundle.opening import DEFAULT_MODEL, open_bundle, read_bundle, shipped_bundles
from edge_sr.bundle.stored import Bundle, file_sha256, shipped_folder
from edge_sr.bundle.writing import check_new_folder, new_folder, write_description

__all__ = [
    "DEFAULT_MODEL",
    "DESCRIPTION",
    "SCHEMA",
    "Bundle",
    "Description",
    "Graph",
    "Port",
    "Source",
    "Weights",
    "check_new_folder",
    "file_sha256",
    "new_folder",
    "open_bundle",
    "read_bundle",
    "shipped_bundles",
    "shipped_folder",
    "write_description",
]
