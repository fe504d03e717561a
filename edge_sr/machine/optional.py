"""Packages that only some commands need, imported where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from edge_sr.errors import MissingError

# Which extra of this package brings which import, the smallest where several do.
EXTRAS: dict[str, str] = {
    "torch": "export",
    "onnx": "calibrate",
    "onnxsim": "export",
    "safetensors": "export",
    "openvino": "openvino",
    "tensorrt": "tensorrt",
    "tensorrt_rtx": "tensorrt-rtx",
    "pycuda": "pycuda",
    "cuda": "cuda",
    "aiohttp": "live",
    "prometheus_client": "live",
    "aiortc": "webrtc",
    "gi": "gst",
    "matplotlib": "report",
    "imageio_ffmpeg": "report",
    "pillow_heif": "heif",
    "pillow_jxl": "jxl",
    "ray": "farm",
}


def require(module: str, purpose: str, extra: str = "") -> ModuleType:
    """The imported module, or ``MissingError`` naming the extra that brings it: ``extra`` if one is given.

    ``purpose`` completes the sentence "PURPOSE needs MODULE", for instance "edge-sr export".
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingError(_explain(module, purpose, extra, error)) from error


def _explain(module: str, purpose: str, extra: str, error: ImportError) -> str:
    package = module.partition(".")[0]
    extra = extra or EXTRAS.get(package, "all")
    reason = "" if isinstance(error, ModuleNotFoundError) and error.name == package else f" ({error})"
    return f"{purpose} needs {package}, which cannot be imported here{reason}: pip install 'edge-sr[{extra}]'"
