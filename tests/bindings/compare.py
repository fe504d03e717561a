"""Compare one TensorRT binding with ``edge_sr.engines.interface.protocols``; prints a JSON list of what does not fit.

    python tests/bindings/compare.py EXTENSION_MODULE [MODULE_NAME]

Runs in a process of its own, because two bindings cannot live in one.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ExtensionFileLoader
from types import ModuleType
from typing import Any

import trt_names

from edge_sr.engines.interface import loader as trt
from edge_sr.errors import MissingError


def load_binding(path: str) -> ModuleType:
    """The module behind a shared object, under the name that its initialiser has: ``tensorrt``."""
    spec = importlib.util.spec_from_file_location(
        "tensorrt", path, loader=ExtensionFileLoader("tensorrt", path)
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parameters(signature: str) -> list[str]:
    """The parameters inside the outermost parentheses, split where no bracket is open."""
    depth, current, found = 0, "", []
    for char in signature[signature.index("(") + 1 :]:
        depth += char in "([{<"
        depth -= char in ")]}>"
        if depth < 0:
            break
        if char == "," and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += char
    return [p for p in [*found, current.strip()] if p]


def overloads(name: str, doc: str) -> Iterator[tuple[int, int]]:
    """Fewest and most positional arguments of each overload that a docstring of pybind11 lists."""
    for line in doc.splitlines():
        match = re.match(rf"\s*(?:\d+\. )?{name}\((?!\*args)", line)
        if match:
            names = [p for p in parameters(line) if p.partition(":")[0] != "self"]
            yield sum("=" not in p for p in names), len(names)


def accepts(name: str, function: Any, count: int) -> bool:
    return any(least <= count <= most for least, most in overloads(name, function.__doc__ or ""))


def resolve(module: Any, path: str) -> Any:
    for part in path.split("."):
        module = getattr(module, part, None)
    return module


def members(protocol: type) -> Iterator[tuple[str, int | None]]:
    """Each member of a protocol with its number of arguments; ``None`` for an attribute."""
    for base in protocol.__mro__:
        for name in getattr(base, "__annotations__", {}):
            yield name, None
        for name, value in vars(base).items():
            if inspect.isfunction(value) and not name.startswith("_"):
                yield name, len(inspect.signature(value).parameters) - 1


def misfits(module: ModuleType, protocols: dict[type, str]) -> Iterator[str]:
    for protocol, class_name in protocols.items():
        target = resolve(module, class_name)
        for name, count in members(protocol):
            found = getattr(target, name, None)
            if found is None:
                yield f"{class_name}.{name} is missing"
            elif count is not None and not accepts(name, found, count):
                yield f"{class_name}.{name} does not take {count} arguments: {found.__doc__}"


def compare(module: ModuleType, rtx: bool) -> Iterator[str]:
    yield from misfits(module, trt_names.EVERYWHERE)
    if rtx:
        yield from misfits(module, trt_names.RTX_ONLY)
    yield from absent(module, trt_names.NAMES_EVERYWHERE + (trt_names.NAMES_RTX_ONLY if rtx else ()))
    for class_name, count in trt_names.CONSTRUCTORS.items():
        if not accepts("__init__", getattr(module, class_name).__init__, count):
            yield f"{class_name} is not made from {count} arguments"
    for path in trt_names.ASSIGNED:
        if getattr(resolve(module, path), "fset", None) is None:
            yield f"{path} cannot be assigned"


def absent(module: ModuleType, names: Iterable[str]) -> Iterator[str]:
    yield from (f"{path} is missing" for path in names if resolve(module, path) is None)


def main() -> None:
    rtx = len(sys.argv) > 2
    module = importlib.import_module(sys.argv[2]) if rtx else load_binding(sys.argv[1])
    report: dict[str, Any] = {"misfits": list(compare(module, rtx)), "sized": [], "refused": None}
    report["sized"] = list(misfits(module, trt_names.SOMETIMES))
    try:
        library = trt.adapt(module, trt.Flavour.RTX if rtx else trt.Flavour.TENSORRT)
        library.logger.log(module.ILogger.Severity.WARNING, "hello")
        report["log"] = library.log
    except MissingError as error:
        report["refused"] = str(error)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
