#!/usr/bin/env python3
"""Average the weights of runs that go on from one another.

    python export/average.py FIRST.safetensors SECOND.safetensors [...] -o MEAN.safetensors

What a run gains at some scales another may have at others; between two that began from the same weights the
mean is often ahead of both (Wortsman et al., "Model soups", ICML 2022). Measure it before you ship it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from edge_sr.errors import CheckpointError, EdgeSRError  # noqa: E402
from edge_sr.models.checkpoint import Checkpoint, load_checkpoint  # noqa: E402
from edge_sr.training.state import save_weights  # noqa: E402


def mean(checkpoints: Sequence[Checkpoint]) -> dict[str, Tensor]:
    """Each tensor's mean, float32; ``CheckpointError`` unless all are of one form, whatever their names."""
    first, *others = checkpoints
    for other in others:
        if dataclasses.replace(other.spec, name=first.spec.name) != first.spec:
            raise CheckpointError(
                f"expected weights of one form, found {first.spec} and {other.spec}: "
                "average runs that go on from one another"
            )
    return {
        key: torch.stack([checkpoint.tensors[key].double() for checkpoint in checkpoints]).mean(0).float()
        for key in first.tensors
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        checkpoints = [load_checkpoint(path) for path in options.checkpoints]
        save_weights(checkpoints[0].spec, mean(checkpoints), options.output)
    except EdgeSRError as error:
        sys.exit(f"average: {error}")


if __name__ == "__main__":
    main()
