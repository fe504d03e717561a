"""A training step as a CUDA graph: its hundreds of small kernels are recorded once and started by one call.

A small network's step takes a GPU less time than Python takes to launch it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from edge_sr.training.data.batches import Batch

# Steps that run as they are first: what is compiled, tuned or allocated once must not be recorded.
WARM = 4


class CapturedStep:
    """``step`` for batches of one shape, on the current CUDA device.

    ``step`` reads nothing that changes but the batch and tensors that stay where they are.
    """

    def __init__(self, step: Callable[[Batch], Tensor]) -> None:
        self._step = step
        # One stream for all: gradients are summed on the stream that they were first made on.
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._taken = 0

    def __call__(self, batch: Batch) -> Tensor:
        """What ``step`` returns for ``batch``, a tensor that the next call leaves alone."""
        self._taken += 1
        if self._taken <= WARM:
            return self._beside(batch)
        if self._taken == WARM + 1:
            self._record(batch)
        else:
            for kept, given in zip(self._batch.tensors(), batch.tensors(), strict=True):
                kept.copy_(given)
        self._graph.replay()
        return self._value.clone()

    def _beside(self, batch: Batch) -> Tensor:
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream), warnings.catch_warnings():
            # Optimisers that can be captured say so until they are.
            warnings.filterwarnings("ignore", message=".*capturable=True")
            value = self._step(batch)
        current.wait_stream(self._stream)
        return value

    def _record(self, batch: Batch) -> None:
        self._batch = Batch(*(tensor.clone() for tensor in batch.tensors()))
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._value = self._step(self._batch)
