"""The device that a run learns on."""

from __future__ import annotations

import torch

from edge_sr.errors import DeviceError, OptionError


def open_device(name: str) -> torch.device:
    """``cpu`` or ``cuda``; ``DeviceError`` when PyTorch sees no GPU."""
    if name not in ("cpu", "cuda"):
        raise OptionError(f"--device must be cpu or cuda, found {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("PyTorch finds no CUDA device here; train with --device cpu")
    # Batches have one shape, so that it pays to try the ways of a convolution once; sums are in float32 all the same.
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)
