"""What the other precisions lose, bfloat16 and float16, on the frames that INT8's loss is measured on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import onnx

from edge_sr.backends.loss import LOSSES
from edge_sr.bundle import Bundle, Description
from edge_sr.calibration.graph.bf16 import bf16_twin
from edge_sr.calibration.graph.pair import ReferencePair
from edge_sr.calibration.search.trial import Models, Trial
from edge_sr.kinds import Role

Say = Callable[[str], None]
Losses = dict[str, dict[str, Any]]


def measure_losses(bundle: Bundle, trial: Trial, say: Say) -> Losses:
    """Mean and worst loss by precision, of a trial over the bundle's own FP32 graphs, not equalised.

    Empty for networks of one graph, whose picture passes through bfloat16 itself: what that costs depends on the
    library that runs it.
    """
    if not isinstance(trial.subject, ReferencePair):
        return {}
    graphs = {"bf16": {role: bf16_twin(model) for role, model in trial.models.items()}}
    if "fp16" in bundle.precisions:
        graphs["fp16"] = _stored(bundle, trial.models)
    return {name: _entry(trial, models, name, say) for name, models in graphs.items()}


def with_losses(description: Description, losses: Losses) -> Description:
    """The description that states them."""
    return dataclasses.replace(description, extra={**description.extra, LOSSES: losses})


def _stored(bundle: Bundle, models: Models) -> dict[str, onnx.ModelProto]:
    """The FP16 graphs, as ONNX Runtime runs them."""
    decoder = "decoder-sampled" if bundle.find("decoder-sampled", "fp16") is not None else "decoder"
    roles = {"encoder": "encoder", "decoder": decoder}
    return {role: onnx.load(bundle.graph(cast(Role, roles[role]), "fp16")) for role in models}


def _entry(trial: Trial, models: Models, name: str, say: Say) -> dict[str, Any]:
    pictures = list(trial.pictures(models))
    loss = trial.loss(pictures)
    say(f"{name}: {loss}")
    return trial.figures(loss, pictures)
