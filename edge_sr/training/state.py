"""A run's checkpoint: all that the next step depends on, in one file; and the weights that it ships."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edge_sr.errors import CheckpointError, InputNotFoundError
from edge_sr.files.atomic import write_whole
from edge_sr.files.config import to_mapping
from edge_sr.machine.optional import require
from edge_sr.spec import NetworkSpec, PublishedSpec
from edge_sr.training.outputs import description_path, resume_path

Tensors = dict[str, Tensor]
QAT = "qat"
"""Beside a run's spec, the scale table that it trains with."""


@dataclasses.dataclass
class Record:
    """One validation: step, seconds of training so far, training loss since the last, dB at x2, x3, x4.

    The loss is None where it was not looked at meanwhile.
    """

    step: int
    seconds: float
    loss: float | None
    psnr: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.psnr) / len(self.psnr)


@dataclasses.dataclass
class RunState:
    """Plain values and tensors only, so that ``torch.load(weights_only=True)`` reads it."""

    spec: dict[str, Any]
    step: int
    seconds: float
    network: Tensors
    ema: Tensors
    optimisers: list[dict[str, Any]]
    data: dict[str, Any]
    torch_rng: Tensor
    losses: list[float]
    history: list[dict[str, Any]]


def save_state(state: RunState, checkpoint: Path) -> None:
    buffer = io.BytesIO()
    torch.save({field.name: getattr(state, field.name) for field in dataclasses.fields(state)}, buffer)
    write_whole(resume_path(checkpoint), buffer.getvalue(), advice="free some and run again with --resume")


def load_state(checkpoint: Path, spec: dict[str, Any]) -> RunState:
    """The state to go on from; ``CheckpointError`` when it is damaged or belongs to another spec."""
    path = resume_path(checkpoint)
    if not path.is_file():
        raise InputNotFoundError(f"no run to resume: {path} is not there; start one without --resume")
    try:
        state = RunState(**torch.load(path, map_location="cpu", weights_only=True))
        if not isinstance(state.spec, dict):
            raise TypeError("it names no spec")
    except Exception as error:  # damaged files make PyTorch's reader raise nearly anything
        raise CheckpointError(f"{path} is not a readable run: {error}") from error
    if state.spec != spec:
        changed = sorted(
            "--qat" if key == QAT else key
            for key in {*spec, *state.spec}
            if state.spec.get(key) != spec.get(key)
        )
        raise CheckpointError(f"{path} belongs to a run of another spec: unlike in {', '.join(changed)}")
    return state


def save_weights(spec: NetworkSpec | PublishedSpec, tensors: Tensors, checkpoint: Path) -> None:
    """Write ``NAME.safetensors`` (float32, the project's keys) and its description ``NAME.json``."""
    safetensors = require("safetensors.torch", "saving weights")
    plain = {key: tensor.detach().cpu().float().contiguous() for key, tensor in tensors.items()}
    described = dataclasses.replace(spec, parameters=sum(tensor.numel() for tensor in plain.values()))
    write_whole(checkpoint, safetensors.save(plain))
    text = json.dumps(_without_zeros(to_mapping(described)), indent=2) + "\n"
    write_whole(description_path(checkpoint), text.encode())


def _without_zeros(mapping: dict[str, Any]) -> dict[str, Any]:
    if "encoder" not in mapping:
        return mapping
    encoder = {key: value for key, value in mapping["encoder"].items() if value != 0}
    return {**mapping, "encoder": encoder}
