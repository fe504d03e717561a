"""A network's first run by the kernels on a device, compared with its FP32 graphs on the CPU, and kept."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.cuda.device import KernelDevice
from edge_sr.backends.kept import keep, kept_file, read_kept
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.backends.tensorrt.verification.verified import LEAST_DB, built_in_picture, difference
from edge_sr.errors import EngineError
from edge_sr.grid import sampling_grid
from edge_sr.kinds import Precision, Scheme
from edge_sr.machine.gpu import Gpu
from edge_sr.tensors import Image

# Small, for the CPU computes it too; a scale between whole ones, where every pixel has a position of its own.
INPUT_SIZE, OUTPUT_SIZE = (48, 40), (120, 100)


# Where an int8 sum is rounded the other way than on the CPU, a level is another one.
INT8_MARGIN_DB = 1.0


def require_verified(runner: Runner, config: RunnerConfig, device: KernelDevice, gpu: Gpu) -> None:
    """``EngineError`` when the kernels compute wrong pictures on this device, now or at an earlier run."""
    path = _file(config, device, gpu)
    found = read_kept(path)
    psnr, least = found.get("psnr_db"), found.get("least_db")
    if not isinstance(psnr, float) or not isinstance(least, float):
        psnr, least = _try(runner, config)
        keep(path, {"gpu": gpu.name, "bundle": config.bundle.name, "psnr_db": psnr, "least_db": least})
    if psnr < least:
        raise EngineError(
            f"the kernels compute wrong pictures on {gpu.name}: {psnr} dB from ONNX Runtime, at least {least} are "
            "expected; use --backend native, and report it with the output of edge-sr doctor"
        )


def _try(runner: Runner, config: RunnerConfig) -> tuple[float, float]:
    """How far the first picture is from the CPU's in FP32, and how far it may be: INT8, as the CPU is in INT8."""
    picture = built_in_picture((1, INPUT_SIZE[1], INPUT_SIZE[0], 3), config.sample_type)
    exact = _on_cpu(config, "fp32", picture)
    result = runner.decode(runner.encode(picture), picture, sampling_grid(INPUT_SIZE, OUTPUT_SIZE))
    least = LEAST_DB
    if config.precision == "int8":
        least = round(difference(_on_cpu(config, "int8", picture), exact)[0] - INT8_MARGIN_DB, 2)
    return round(min(difference(result, exact)[0], 200.0), 2), least


def _on_cpu(config: RunnerConfig, precision: Precision, picture: Image) -> Image:
    scheme: Scheme | None = "int8" if precision == "int8" else None
    grid = sampling_grid(INPUT_SIZE, OUTPUT_SIZE)
    with closing(
        OnnxRunner(RunnerConfig(config.bundle, precision, config.sample_type, scheme=scheme))
    ) as cpu:
        return cpu.decode(cpu.encode(picture), picture, grid)


def _file(config: RunnerConfig, device: KernelDevice, gpu: Gpu) -> Path | None:
    graphs = [
        graph.sha256
        for graph in config.bundle.description.graphs
        if graph.precision in ("fp32", config.precision)
    ]
    images = sorted(hashlib.sha256(image.data).hexdigest() for image in device.images.values())
    identity = [gpu.identity, gpu.driver_cuda, config.precision, config.sample_type]
    return kept_file([graphs, images, identity], "verified-")
