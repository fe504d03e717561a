"""A network's first run by the kernels on a device, compared with its FP32 graphs on the CPU, and kept."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from pathlib import Path

from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.cuda.device import KernelDevice
from edge_sr.backends.cuda.kept import keep, kept_file, read_kept
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.backends.tensorrt.verification.verified import built_in_picture, difference, required_db
from edge_sr.errors import EngineError
from edge_sr.grid import sampling_grid
from edge_sr.machine.gpu import Gpu

# Small, for the CPU computes it too; a scale between whole ones, where every pixel has a position of its own.
INPUT_SIZE, OUTPUT_SIZE = (48, 40), (120, 100)


def require_verified(runner: Runner, config: RunnerConfig, device: KernelDevice, gpu: Gpu) -> None:
    """``EngineError`` when the kernels compute wrong pictures on this device, now or at an earlier run."""
    path = _file(config, device, gpu)
    psnr = read_kept(path).get("psnr_db")
    if not isinstance(psnr, float):
        psnr = _try(runner, config)
        keep(path, {"gpu": gpu.name, "bundle": config.bundle.name, "psnr_db": psnr})
    least = required_db(config)
    if psnr < least:
        raise EngineError(
            f"the kernels compute wrong pictures on {gpu.name}: {psnr} dB from ONNX Runtime, at least {least} are "
            "expected; use --backend native, and report it with the output of edge-sr doctor"
        )


def _try(runner: Runner, config: RunnerConfig) -> float:
    picture = built_in_picture((1, INPUT_SIZE[1], INPUT_SIZE[0], 3), config.sample_type)
    grid = sampling_grid(INPUT_SIZE, OUTPUT_SIZE)
    result = runner.decode(runner.encode(picture), picture, grid)
    with closing(OnnxRunner(RunnerConfig(config.bundle, "fp32", config.sample_type))) as cpu:
        psnr, _ = difference(result, cpu.decode(cpu.encode(picture), picture, grid))
    return round(min(psnr, 200.0), 2)


def _file(config: RunnerConfig, device: KernelDevice, gpu: Gpu) -> Path | None:
    graphs = [graph.sha256 for graph in config.bundle.description.graphs if graph.precision == "fp32"]
    images = sorted(hashlib.sha256(image.data).hexdigest() for image in device.images.values())
    identity = [gpu.identity, gpu.driver_cuda, config.precision, config.sample_type]
    digest = hashlib.sha256(json.dumps([graphs, images, identity]).encode()).hexdigest()[:24]
    return kept_file(f"verified-{digest}.json")
