"""What a figure was measured on: said beside every figure."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TypedDict

from edge_sr.machine.control_groups import cores_allowed
from edge_sr.version import package_version

CPUINFO = Path("/proc/cpuinfo")
NAME_KEYS = ("model name", "Model", "Hardware")


class Machine(TypedDict):
    cpu: str
    cores: int
    system: str
    python: str
    numpy: str
    onnxruntime: str


def describe() -> Machine:
    """This machine: processor, cores that this process may use, system, and the versions that compute."""
    return Machine(
        cpu=cpu_name(),
        cores=available_cores(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        numpy=package_version("numpy") or "absent",
        onnxruntime=package_version("onnxruntime") or package_version("onnxruntime-gpu") or "absent",
    )


def cpu_name() -> str:
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.exists() else []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return next((named[key] for key in NAME_KEYS if key in named), platform.processor() or platform.machine())


def available_cores() -> int:
    """Cores that this process may use, its affinity and container quota heeded."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, cores_allowed() or cores))
