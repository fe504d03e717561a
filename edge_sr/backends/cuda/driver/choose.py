"""Whichever driver package is installed: cuda-bindings, else pycuda."""

from __future__ import annotations

from importlib.util import find_spec

from edge_sr.backends.cuda.driver.protocol import KernelDriver
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.machine.gpu import find_gpu

INSTALL = "pip install 'edge-sr[cuda]'"


def installed_package() -> str | None:
    """The package that drives the GPU here, or ``None``."""
    if find_spec("cuda") is not None and find_spec("cuda.bindings") is not None:
        return "cuda-bindings"
    return "pycuda" if find_spec("pycuda") is not None else None


def open_driver() -> KernelDriver:
    """The first GPU; ``MissingError`` without a driver, a GPU, or a package that reaches it."""
    find_gpu()
    package = installed_package()
    if package == "cuda-bindings":
        from edge_sr.backends.cuda.driver.bindings import BindingsDriver

        return BindingsDriver()
    if package == "pycuda":
        from edge_sr.backends.cuda.driver.pycuda import PycudaDriver

        return PycudaDriver()
    raise MissingError(f"running on a GPU needs cuda-bindings: {INSTALL}")


def unavailable_reason() -> str | None:
    """What is missing here to use the GPU, in one line, or ``None``."""
    try:
        find_gpu()
    except EdgeSRError as error:
        return str(error)
    return None if installed_package() else f"running on a GPU needs cuda-bindings: {INSTALL}"
