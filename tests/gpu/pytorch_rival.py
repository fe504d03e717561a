"""The shipped networks in PyTorch, split as the kernels have them: float16, channels-last, eager and compiled.

On the CPU where PyTorch has no GPU, which rehearses the calls and says nothing of speed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.grid import sampling_grid
from edge_sr.tensors import reference_card

WEIGHTS = Path(__file__).parents[2] / "export" / "weights"
WARM = 3


def race(models: Sequence[str], sizes: Sequence[tuple[int, int]], rounds: int) -> Iterator[dict[str, Any]]:
    """Milliseconds of encoder and decoder at x2, or the error where a compiler has one."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    for model in models:
        encoder, decoder = _parts(model, device)
        for width, height in sizes:
            image, given = _inputs(width, height, device)
            for way in ("eager", "compiled"):
                row = {"model": model, "size": [width, height], "way": way, "device": device}
                yield {**row, **_timed(encoder, decoder, image, given, way, rounds)}


def _parts(model: str, device: str) -> tuple[Any, Any]:
    import torch

    from edge_sr.export.split.diinn import SplitDecoder, SplitEncoder
    from edge_sr.models.checkpoint import load_checkpoint

    network: Any = load_checkpoint(WEIGHTS / f"{model}.safetensors").network()
    parts = [kind(network, torch.float16).eval().to(device) for kind in (SplitEncoder, SplitDecoder)]
    encoder, decoder = (part.to(memory_format=torch.channels_last) for part in parts)
    return encoder, decoder


def _inputs(width: int, height: int, device: str) -> tuple[Any, list[Any]]:
    import torch

    grid = sampling_grid((width, height), (2 * width, 2 * height))
    arrays = [grid.rows, grid.cols, grid.offset_y, grid.offset_x, np.asarray(grid.ratio, np.float32)]
    given = [torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays]
    return torch.from_numpy(reference_card(width, height)[None]).to(device).float() / 255, given


def _timed(encoder: Any, decoder: Any, image: Any, given: Any, way: str, rounds: int) -> dict[str, Any]:
    import torch

    try:
        with torch.inference_mode():
            parts = encoder, decoder
            encode, decode = (torch.compile(part) for part in parts) if way == "compiled" else parts
            maps = encode(image)
            spent = {
                "encoder_ms": _milliseconds(lambda: encode(image), rounds),
                "decoder_ms": _milliseconds(lambda: decode(maps, *given, image), rounds),
            }
        return {**spent, "frame_ms": round(sum(spent.values()), 4)}
    except Exception as error:  # whatever a compiler may say: the others are still measured
        return {"error": repr(error)[:300]}


def _milliseconds(work: Callable[[], Any], rounds: int) -> float:
    import torch

    found = []
    for _ in range(WARM + rounds):
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(found[WARM:]), 4)
