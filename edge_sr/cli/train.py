"""``edge-sr train``: train a network on folders of images."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_sr.cli.options import NETWORK, RUN, DeviceName, Json, complete_models
from edge_sr.cli.terminal.progress import say
from edge_sr.errors import OptionError

if TYPE_CHECKING:
    from edge_sr.spec import ModelSpec
    from edge_sr.training.limit import Limit
    from edge_sr.training.quantisation.qat import RoundedTraining
    from edge_sr.training.run import Outcome


EXAMPLES = (
    "edge-sr train export/example.toml --images ~/Pictures -o mine.safetensors --minutes 30",
    "edge-sr train tuned.toml --images ~/Pictures -o tuned.safetensors --qat my-edge --steps 2000",
)

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="Model spec (TOML): network, data and schedule.")]
Images = Annotated[
    list[Path],
    typer.Option("--images", metavar="DIR...", help="Folders of images, or one packed file."),
]
Checkpoint = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="NAME.safetensors",
        help="Checkpoint to write.",
        rich_help_panel=RUN,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes", metavar="M", help="Minutes of training, resumed runs included.", rich_help_panel=RUN
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps", metavar="N", help="Training steps.", show_default="the spec's", rich_help_panel=RUN
    ),
]
Device = Annotated[DeviceName, typer.Option("--device", help="Where to train.", rich_help_panel=RUN)]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Continue the run that wrote the output.", rich_help_panel=RUN),
]
Qat = Annotated[
    str | None,
    typer.Option(
        metavar="BUNDLE",
        help="Quantisation-aware: train against the INT8 rounding of this calibrated bundle.",
        autocompletion=complete_models,
        rich_help_panel=NETWORK,
    ),
]


def train(
    spec: Spec,
    images: Images,
    output: Checkpoint,
    minutes: Minutes = None,
    steps: Steps = None,
    device: Device = "cpu",
    resume: Resume = False,
    qat: Qat = None,
    as_json: Json = False,
) -> None:
    """Train a network and write its averaged weights, its description and its curve.

    With --qat training continues from a calibrated bundle's weights, rounded as its INT8 graphs round.
    A scale table for the new weights is written beside them, for a recipe's `table`.
    """
    if output.suffix != ".safetensors":
        raise OptionError(f"expected an output that ends in .safetensors, found {output}")
    outcome = _run(spec, images, output, resume, device, minutes, steps, qat)
    print(json.dumps(_report(outcome)) if as_json else _sentence(outcome))


def _run(
    spec: Path,
    images: list[Path],
    output: Path,
    resume: bool,
    device: str,
    minutes: float | None,
    steps: int | None,
    qat: str | None,
) -> Outcome:
    from edge_sr.cli.terminal.interrupts import stopping
    from edge_sr.files.claims import claimed
    from edge_sr.files.config import load_toml
    from edge_sr.machine.optional import require
    from edge_sr.spec import ModelSpec

    model = load_toml(spec, ModelSpec)
    limit = _limit(model, minutes, steps)
    for module in ("torch", "safetensors", "matplotlib"):
        require(module, "edge-sr train", "train")
    from edge_sr.training.device import open_device
    from edge_sr.training.run import TrainingRun

    run = TrainingRun(model, spec.parent, output, limit, say, _rounding(qat))
    with claimed(output):
        run.prepare(images, open_device(device), resume)
        with stopping(say, "stopping after this step; once more to stop at once") as stop:
            return run.run(stop)


def _rounding(bundle: str | None) -> RoundedTraining | None:
    if bundle is None:
        return None
    from edge_sr.machine.optional import require

    for module in ("onnx", "onnxsim"):
        require(module, "edge-sr train --qat", "train")
    from edge_sr.bundle import open_bundle
    from edge_sr.training.quantisation.qat import RoundedTraining

    return RoundedTraining(open_bundle(bundle))


def _limit(model: ModelSpec, minutes: float | None, steps: int | None) -> Limit:
    from edge_sr.training.limit import Limit
    from edge_sr.training.spec import training_spec

    if minutes is not None and steps is not None:
        raise OptionError("give --minutes or --steps, found both")
    return Limit(steps if steps is not None else training_spec(model).steps, minutes)


def _report(outcome: Outcome) -> dict[str, object]:
    from edge_sr.training.data.scale_set import WHOLE_SCALES

    scales = dict(zip((f"x{scale}" for scale in WHOLE_SCALES), outcome.psnr, strict=True))
    facts = {key: value for key, value in asdict(outcome).items() if value is not None}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in facts.items()}
    return {**plain, "psnr": scales}


def _sentence(outcome: Outcome) -> str:
    figures = " / ".join(f"{value:.2f}" for value in outcome.psnr)
    return f"{outcome.checkpoint}: {outcome.steps} steps, validation {figures} dB at x2 / x3 / x4 (luma PSNR)"
