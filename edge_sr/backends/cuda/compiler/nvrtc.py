"""Kernels compiled by NVRTC: NVIDIA's run-time compiler, a wheel that needs no toolkit, no driver and no GPU."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from edge_sr.errors import EngineError, MissingError

# What is fused is said in the sources, so that every machine rounds alike.
OPTIONS = ("-std=c++17", "--fmad=false", "--ptxas-options=-v")
PACKAGES = ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc")
SYSTEM_LIBRARIES = ("libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc.so")


def load_nvrtc() -> ctypes.CDLL:
    """The library of the installed wheel, else the system's; ``MissingError`` without either."""
    candidates: list[Path | str] = [*_installed(), *SYSTEM_LIBRARIES]
    for path in candidates:
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        if isinstance(path, Path):
            _load_builtins(path.parent)
        return library
    raise MissingError(
        "kernels for this GPU have to be compiled, and NVRTC is not installed here: pip install 'edge-sr[cuda]'"
    )


def _load_builtins(folder: Path) -> None:
    """What NVRTC opens by its name alone when it compiles: CUDA 13's wheel does not say that it lies beside it."""
    for beside in folder.glob("libnvrtc-builtins.so.*"):
        ctypes.CDLL(str(beside))


def _installed() -> list[Path]:
    found: list[Path] = []
    for package in PACKAGES:
        try:
            files = distribution(package).files or []
        except PackageNotFoundError:
            continue
        found += [Path(str(file.locate())) for file in files if file.name.startswith("libnvrtc.so")]
    return found


def version(library: ctypes.CDLL) -> str:
    """For instance ``12.9``."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


def architectures(library: ctypes.CDLL) -> tuple[int, ...]:
    """The compute capabilities that it compiles for, 90 for 9.0."""
    count = ctypes.c_int()
    library.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    numbers = (ctypes.c_int * count.value)()
    library.nvrtcGetSupportedArchs(numbers)
    return tuple(numbers)


def compile_source(
    library: ctypes.CDLL, name: str, sources: Mapping[str, bytes], target: str, defines: Mapping[str, str]
) -> bytes:
    """The image of ``sources[name]``, which may include the others: a cubin for ``sm_90``, PTX for ``compute_80``.

    Raises ``EngineError`` with the compiler's words when it does not compile.
    """
    return compile_with_log(library, name, sources, target, defines)[0]


def compile_with_log(
    library: ctypes.CDLL, name: str, sources: Mapping[str, bytes], target: str, defines: Mapping[str, str]
) -> tuple[bytes, str]:
    """As ``compile_source``, with what the assembler says of every kernel: registers, spills, stack.

    Raises ``EngineError`` with the compiler's words when it does not compile.
    """
    headers = {key: text for key, text in sources.items() if key != name}
    program = ctypes.c_void_p()
    texts = (ctypes.c_char_p * len(headers))(*headers.values())
    names = (ctypes.c_char_p * len(headers))(*(key.encode() for key in headers))
    _check(
        library.nvrtcCreateProgram(
            ctypes.byref(program), sources[name], name.encode(), len(headers), texts, names
        ),
        "a program",
    )
    try:
        options = (*OPTIONS, f"--gpu-architecture={target}", *(f"-D{k}={v}" for k, v in defines.items()))
        _compile(library, program, options, f"{name} for {target}")
        image = _take(library, program, "CUBIN" if target.startswith("sm_") else "PTX")
        return image, _log(library, program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _compile(library: ctypes.CDLL, program: ctypes.c_void_p, options: Sequence[str], what: str) -> None:
    encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    if library.nvrtcCompileProgram(program, len(options), encoded):
        log = _log(library, program)
        raise EngineError(f"NVRTC {version(library)} does not compile {what}: {log}")


def _log(library: ctypes.CDLL, program: ctypes.c_void_p) -> str:
    return _take(library, program, "ProgramLog").decode(errors="replace").strip("\0 \n")


def _take(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(library[f"nvrtcGet{what}Size"](program, ctypes.byref(size)), what)
    buffer = ctypes.create_string_buffer(size.value)
    _check(library[f"nvrtcGet{what}"](program, buffer), what)
    return buffer.raw


def _check(status: int, what: str) -> None:
    if status:
        raise EngineError(f"NVRTC answers with error {status} when asked for {what}; see edge-sr doctor")
