"""The packages that drive a GPU, by name, for tests that try each one that is installed."""

from __future__ import annotations

import importlib.util

from edge_sr.backends.cuda.driver.protocol import KernelDriver


def installed_drivers() -> list[str]:
    """Of ``cuda-bindings`` and ``pycuda`` those that can be imported."""
    modules = {"cuda-bindings": "cuda.bindings", "pycuda": "pycuda"}
    return [name for name, module in modules.items() if _is_there(module)]


def _is_there(module: str) -> bool:
    parent = module.partition(".")[0]
    return importlib.util.find_spec(parent) is not None and importlib.util.find_spec(module) is not None


def open_with(package: str) -> KernelDriver:
    """The first GPU by this package; ``MissingError`` without it or without a GPU."""
    if package == "pycuda":
        from edge_sr.backends.cuda.driver.pycuda import PycudaDriver

        return PycudaDriver()
    from edge_sr.backends.cuda.driver.bindings import BindingsDriver

    return BindingsDriver()
