"""One tensor of a checkpoint that anybody may have written, made plain."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edge_sr.errors import CheckpointError


def plain_tensor(name: str, value: Any) -> Tensor:
    """``value`` as float32, dense and contiguous, on the CPU; ``CheckpointError`` for one that has no such form."""
    if not isinstance(value, Tensor):
        raise CheckpointError(f"expected tensors only, found {name} of type {type(value).__name__}")
    if (
        value.layout != torch.strided
        or value.device.type == "meta"
        or value.is_quantized
        or value.is_complex()
    ):
        raise CheckpointError(
            f"tensor {name}: expected plain numbers, found {value.dtype}, {value.layout} on {value.device}; "
            "save the network's state_dict() in float32"
        )
    held = value.untyped_storage().nbytes() // value.element_size()
    if value.numel() > held:
        shape = "x".join(map(str, value.shape))
        raise CheckpointError(f"tensor {name} claims {shape} values, of which the file holds {held}")
    return value.detach().to(torch.float32).contiguous()
