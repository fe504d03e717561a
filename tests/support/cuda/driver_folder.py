"""A folder with a ``libcuda.so.1`` whose GPU is the emulator, and the environment that makes a process use it."""

from __future__ import annotations

import os
from pathlib import Path

from edge_sr.backends.cuda.compiler.images import SHIPPED_FORMS
from support.cuda.emulator import CUDA, compile_library, emulator_folder, kernels_library


def emulated_driver() -> Path:
    """The folder, with the kernels of the shipped forms in it."""
    folder = emulator_folder()
    library = folder / "libcuda.so.1"
    if not library.exists():
        sources = sorted((CUDA / "emulator" / "driver").glob("*.cpp"))
        compile_library(library, sources, "-Wl,-soname,libcuda.so.1", "-pthread")
    for form in SHIPPED_FORMS:
        kernels_library(form)
    return folder


def emulated_environment(cache: Path, gpu: str = "", **more: str) -> dict[str, str]:
    """For a subprocess: ``gpu`` describes the emulated device, ``cache`` keeps what it measures and proves."""
    folder = str(emulated_driver())
    return {
        **os.environ,
        "LD_LIBRARY_PATH": folder,
        "EDGE_SR_EMULATED_KERNELS": folder,
        "EDGE_SR_EMULATED_GPU": gpu,
        "EDGE_SR_CACHE": str(cache / "engines"),
        "XDG_CACHE_HOME": str(cache),
        **more,
    }
