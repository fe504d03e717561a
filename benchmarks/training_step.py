"""A training step with and without the native library, in turns, on batches of noise.

    python benchmarks/training_step.py [export/models/diinn-nano.toml ...] [--steps 40] [--threads N]

A step is the loss, its gradients, the optimisers and the average; drawing batches is left out. Needs the extra `train`
and a processor with tiles of bfloat16 (AMX).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from unittest import mock

import torch

from edge_sr.files.config import load_toml
from edge_sr.machine.description import available_cores, cpu_name
from edge_sr.spec import ModelSpec
from edge_sr.training import learner
from edge_sr.training.data.batches import Batch
from edge_sr.training.spec import ScheduleSpec, training_spec
from edge_sr.training.tasks.native_loss import native_loss
from edge_sr.training.tasks.task import DiinnTask

SPECS = tuple(Path("export/models", f"diinn-{size}.toml") for size in ("nano", "edge"))
WARM = 3


def noise(spec: ScheduleSpec) -> Batch:
    n, p, k = spec.batch, spec.patch, spec.samples
    low, target = (torch.randint(256, (n, p, p, *more, 3), dtype=torch.uint8) for more in ((), (k,)))
    return Batch(low, 2 * torch.rand(n, p, p, k, 2) - 1, target, torch.ones(n, p, p, 1), 0.3)


def learner_for(spec: ModelSpec, *, native: bool) -> learner.Learner:
    training, task = training_spec(spec), DiinnTask(spec)
    made = native_loss if native else lambda *_: None
    with mock.patch.object(learner, "native_loss", made):
        network, device = task.network(), torch.device("cpu")
        return learner.Learner(network, task, training.schedule, device, compiled=training.compile)


def timed(some: learner.Learner, batch: Batch) -> float:
    begun = time.perf_counter()
    some.step(batch, 1000, 0.5).item()
    return 1e3 * (time.perf_counter() - begun)


def report(path: Path, steps: int) -> str:
    spec = load_toml(path, ModelSpec)
    schedule = training_spec(spec).schedule
    if native_loss(DiinnTask(spec).network(), schedule) is None:
        raise SystemExit(f"{path}: no native step for this network on this processor")
    learners = [learner_for(spec, native=native) for native in (False, True)]
    batches = [noise(schedule) for _ in range(steps + WARM)]
    rounds = [[timed(each, batch) for each in learners] for batch in batches][WARM:]
    torch_ms, native_ms = (median(column) for column in zip(*rounds, strict=True))
    size = f"{schedule.batch} patches of {schedule.patch} x {schedule.patch}, {schedule.samples} samples"
    times = f"PyTorch {torch_ms:.1f} ms, native {native_ms:.1f} ms, {torch_ms / native_ms:.2f} times"
    return f"{spec.name}, {size}: {times}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("specs", nargs="*", type=Path, default=SPECS)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=available_cores())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{cpu_name()}, {options.threads} threads")
    for path in options.specs:
        print(report(path, options.steps), flush=True)


if __name__ == "__main__":
    main()
