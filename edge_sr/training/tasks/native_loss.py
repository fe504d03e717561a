"""A step's loss and gradients by the native library, on processors with AMX or AVX512-BF16.

The same arithmetic as ``edge_sr.training.tasks.sampled`` under autocast: products of bfloat16, sums in float32. A whole
step is one call, which takes half to nine tenths of PyTorch's time (``benchmarks/training_step.py``).
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge_sr.backends.native.library import TrainingBatch, TrainingForm, available, loaded
from edge_sr.errors import MemoryLimitError
from edge_sr.models.encoders import SmallResidualEncoder
from edge_sr.models.implicit.diinn import Diinn, bias_of, first_convolutions
from edge_sr.training.data.batches import Batch
from edge_sr.training.loss import FLOOR
from edge_sr.training.spec import ScheduleSpec


class NativeLoss:
    """The loss of ``network`` on batches of one shape; its gradients go where autograd takes them."""

    def __init__(self, network: Diinn, trainer: ctypes.c_void_p, spec: ScheduleSpec) -> None:
        self._layers = _layers(network)
        self._trainer, self._luma_share = trainer, spec.luma_share
        weakref.finalize(self, loaded().esr_trainer_destroy, trainer)

    def __call__(self, batch: Batch, *, absolute: bool) -> Tensor:
        """``l1`` or ``psnr`` of ``edge_sr.training.loss`` for the batch, differentiable by the network's parameters."""
        values = [tensor for layer in self._layers for tensor in (layer.weight, bias_of(layer))]
        loss: Tensor = _Gradients.apply(self, batch, absolute, *values)  # type: ignore[no-untyped-call]
        return loss

    def measure(self, batch: Batch, absolute: bool, values: Sequence[Tensor]) -> tuple[float, list[Tensor]]:
        """The loss and its gradients, one for each of the ``values``, float32."""
        kept = [value.detach().contiguous() for value in values]
        gradients = [torch.empty_like(value) for value in kept]
        arrays = [array.contiguous() for array in (batch.low, batch.offsets, batch.target, batch.weights)]
        call = TrainingBatch(
            *(array.data_ptr() for array in arrays),
            batch.ratio.item(),
            self._luma_share,
            FLOOR,
            int(absolute),
        )
        loss = ctypes.c_double()
        status = loaded().esr_train(
            self._trainer, ctypes.byref(call), _pointers(kept), _pointers(gradients), ctypes.byref(loss)
        )
        if status:
            raise MemoryLimitError(
                "a training step ran out of memory: lower training.schedule.batch or training.schedule.patch"
            )
        return loss.value, gradients


def native_loss(network: nn.Module, spec: ScheduleSpec) -> NativeLoss | None:
    """The native loss for ``network``, or nothing where library, processor or network are not made for it."""
    if not available() or not isinstance(network, Diinn) or not _fits(network, spec):
        return None
    form = network.spec
    widths = np.array(form.decoder.widths, np.int32)
    asked = TrainingForm(
        form.encoder.channels,
        form.encoder.blocks,
        len(widths),
        widths.ctypes.data,
        spec.batch,
        spec.patch,
        spec.samples,
        torch.get_num_threads(),
    )
    trainer = ctypes.c_void_p()
    status = loaded().esr_trainer_create(ctypes.byref(asked), ctypes.byref(trainer))
    return None if status else NativeLoss(network, trainer, spec)


def _fits(network: Diinn, spec: ScheduleSpec) -> bool:
    decoder = network.spec.decoder
    plain = not (spec.steadiness or spec.distil_share or decoder.init_q)
    return plain and decoder.mode == 3 and decoder.bilinear_base and network.spec.encoder.kind == "residual"


def _layers(network: Diinn) -> list[nn.Conv2d]:
    """In the order of the C interface."""
    encoder, decoder = network.encoder, network.decoder
    assert isinstance(encoder, SmallResidualEncoder)
    blocks = [conv for block in encoder.body.children() for conv in block.children()]
    layers = [encoder.head, *blocks, encoder.tail]
    return [*layers, *first_convolutions(decoder.K), *first_convolutions(decoder.Q), decoder.last_layer]  # type: ignore[list-item]


def _pointers(tensors: Sequence[Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


class _Gradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: NativeLoss, batch: Batch, absolute: bool, *values: Tensor) -> Tensor:
        value, ctx.gradients = loss.measure(batch, absolute, values)
        return torch.tensor(value)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *torch._foreach_mul(ctx.gradients, outer.item())
