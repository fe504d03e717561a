"""The names that bundles, backends and commands have for the same few things, each list written once."""

from __future__ import annotations

from typing import Literal

BundleKind = Literal["implicit", "fixed", "refine"]
"""Encoder and decoder for any scale; one graph for one whole scale; one graph over a picture enlarged before."""

Role = Literal["encoder", "decoder", "decoder-sampled", "network"]
"""What a graph of a bundle does; ``network`` is the one graph of ``fixed`` and ``refine``."""

Precision = Literal["fp32", "bf16", "fp16", "int8"]
"""What a network is computed in."""

Scheme = Literal["int8", "int8-cpu"]
"""Where INT8 graphs round (Q/DQ): TensorRT's and CUDA's scheme, and that of CPUs."""

StoredPrecision = Literal["fp32", "bf16", "fp16", "int8", "int8-cpu"]
"""How a bundle files its graphs: by precision, INT8 by scheme."""

SampleType = Literal["uint8", "float"]
"""What pictures are made of at a graph's ends: 8-bit levels, or float32 in [0, 1] for deeper video."""

GPU_BACKENDS = ("cuda", "tensorrt", "tensorrt-rtx")
