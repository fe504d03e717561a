"""A training step with and without what makes it quick, on batches of noise.

    python benchmarks/training_step.py [export/models/diinn-nano.toml ...] [--steps 40] [--threads N]
    python benchmarks/training_step.py --device cuda export/gpu/diinn-nano.toml ...

A step is the loss, its gradients, the optimisers and the average; drawing batches is left out. On a CPU the native
library and PyTorch take turns, where it has products of bfloat16 (AMX or AVX512-BF16). On a GPU: PyTorch as it is and
compiled, each as a CUDA graph and kernel by kernel. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from unittest import mock

import torch

from edge_sr.files.config import load_toml
from edge_sr.machine.description import available_cores, cpu_name
from edge_sr.spec import ModelSpec
from edge_sr.training import captured, learner
from edge_sr.training.data.batches import Batch
from edge_sr.training.device import open_device
from edge_sr.training.spec import ScheduleSpec, training_spec
from edge_sr.training.tasks.native_loss import native_loss
from edge_sr.training.tasks.task import DiinnTask

SPECS = tuple(Path("export/models", f"diinn-{size}.toml") for size in ("nano", "edge"))
WARM = 3


def noise(spec: ScheduleSpec) -> Batch:
    n, p, k = spec.batch, spec.patch, spec.samples
    low, target = (torch.randint(256, (n, p, p, *more, 3), dtype=torch.uint8) for more in ((), (k,)))
    return Batch(low, 2 * torch.rand(n, p, p, k, 2) - 1, target, torch.ones(n, p, p, 1), torch.tensor([0.3]))


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


def gpu_report(path: Path, steps: int) -> Iterator[str]:
    spec = load_toml(path, ModelSpec)
    training, task, device = training_spec(spec), DiinnTask(spec), open_device("cuda")
    batch = Batch(*(tensor.to(device) for tensor in noise(training.schedule).tensors()))
    for compiled in (False, True):
        some = learner.Learner(task.network(), task, training.schedule, device, compiled=compiled)
        for graph in (True, False):
            if not graph:
                some._captured.clear()
            begun = time.perf_counter()
            for number in range(captured.WARM + 2):
                some.step(batch, number, 0.5)
            torch.cuda.synchronize()
            ready = time.perf_counter()
            for number in range(steps):
                some.step(batch, 1000 + number, 0.5)
            torch.cuda.synchronize()
            took = 1e3 * (time.perf_counter() - ready) / steps
            name = f"{'compiled' if compiled else 'as it is'}, {'one graph' if graph else 'kernel by kernel'}"
            yield f"{spec.name}, {_size(training.schedule)}, {name}: {took:.2f} ms, after {ready - begun:.0f} s"


def _size(schedule: ScheduleSpec) -> str:
    return f"{schedule.batch} patches of {schedule.patch} x {schedule.patch}, {schedule.samples} samples"


def report(path: Path, steps: int) -> str:
    spec = load_toml(path, ModelSpec)
    schedule = training_spec(spec).schedule
    if native_loss(DiinnTask(spec).network(), schedule) is None:
        raise SystemExit(f"{path}: no native step for this network on this processor")
    learners = [learner_for(spec, native=native) for native in (False, True)]
    batches = [noise(schedule) for _ in range(steps + WARM)]
    rounds = [[timed(each, batch) for each in learners] for batch in batches][WARM:]
    torch_ms, native_ms = (median(column) for column in zip(*rounds, strict=True))
    times = f"PyTorch {torch_ms:.1f} ms, native {native_ms:.1f} ms, {torch_ms / native_ms:.2f} times"
    return f"{spec.name}, {_size(schedule)}: {times}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("specs", nargs="*", type=Path, default=SPECS)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    if options.device == "cuda":
        print(torch.cuda.get_device_name(open_device("cuda")))
        for path in options.specs:
            for line in gpu_report(path, options.steps):
                print(line, flush=True)
        return
    torch.set_num_threads(options.threads)
    print(f"{cpu_name()}, {options.threads} threads")
    for path in options.specs:
        print(report(path, options.steps), flush=True)


if __name__ == "__main__":
    main()
