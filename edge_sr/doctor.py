"""What this machine has and lacks, found by trying: each part in a line, with what to install."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Literal

from edge_sr.backends.cuda.driver.choose import installed_package
from edge_sr.bundle import Bundle, shipped_bundles
from edge_sr.engines.interface.loader import RTX_COMPUTE_CAPABILITIES, Flavour, installed_version, load
from edge_sr.errors import EdgeSRError
from edge_sr.kinds import Precision
from edge_sr.machine.description import available_cores
from edge_sr.machine.gpu import find_gpu, gpu_if_any
from edge_sr.machine.optional import EXTRAS
from edge_sr.version import package_version

State = Literal["ready", "absent", "broken"]
Answer = tuple[State, str, str]  # state, what was found, what to run

CUDA, GPU = "pip install 'edge-sr[cuda]'", "a machine with an NVIDIA GPU"
PACKAGES = (  # import name, distribution, what it is for
    ("torch", "torch", "export and train"),
    ("onnx", "onnx", "export and calibrate"),
    ("onnxsim", "onnxsim", "export"),
    ("safetensors", "safetensors", "export and train"),
    ("matplotlib", "matplotlib", "bench --plot to anything but SVG"),
    ("aiohttp", "aiohttp", "camera --serve and serve"),
    ("prometheus_client", "prometheus-client", "serve"),
    ("aiortc", "aiortc", "video on the page of camera --serve, from Python 3.11 on"),
    ("ray", "ray", "--cluster"),
    ("pillow_heif", "pillow-heif", "HEIC"),
    ("pillow_jxl", "pillow-jxl-plugin", "JPEG XL"),
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One part. ``kind``: ``backend``, ``device``, ``media``, ``auto`` or ``package``; ``install``: empty if ready.

    Of kind ``auto`` is each shipped model: what ``--backend auto --precision auto`` takes for it here.
    """

    kind: str
    name: str
    state: State
    detail: str
    install: str


def examine() -> Iterator[Finding]:
    """Every part, one after another; a part that fails says so and stops nothing."""
    for kind, name, probe in PROBES:
        yield Finding(kind, name, *_answer(probe))
    for bundle in shipped_bundles():
        yield Finding("auto", bundle.name, *_answer(functools.partial(_auto, bundle)))
    for module, distribution, purpose in PACKAGES:
        yield Finding("package", distribution, *_package(module, distribution, purpose))


def _answer(probe: Callable[[], Answer]) -> Answer:
    try:
        return probe()
    except EdgeSRError as error:
        return "absent", str(error), ""
    except Exception as error:  # a foreign library may raise anything, and the point is to say so
        return "broken", f"{type(error).__name__}: {' '.join(str(error).split())}", "reinstall it"


def _onnxruntime() -> Answer:
    import onnxruntime

    from edge_sr.benchmark.peak import CHANNELS, onnx_gflops

    speed = onnx_gflops("conv", (1, CHANNELS, 8, 8), 1, threads=1, seconds=0.001)
    providers = ", ".join(
        name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()
    )
    detail = f"{onnxruntime.__version__}, providers {providers}; a graph ran"
    return ("ready", detail, "") if speed > 0 else ("broken", detail, "reinstall it")


def _native() -> Answer:
    from edge_sr.backends.native import library as native_library

    if native_library.available():
        detail = f"compiled, kernels {', '.join(native_library.encoder_kernels())}; {_kernels_taken()}"
        return "ready", detail, ""
    compiler = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
    known = f"compiler {compiler} is here" if compiler else "no C++ compiler is here either"
    return (
        "absent",
        f"{native_library.why_not()} ({known})",
        "pip install --force-reinstall --no-deps . in the clone",
    )


def _kernels_taken() -> str:
    """``fp32 avx512, bf16 amx, int8 amx``: which kernel serves each precision."""
    from edge_sr.backends.native.kernels import encoder_kernel
    from edge_sr.backends.native.library import encoder_kernels

    asked: tuple[Precision, ...] = ("fp32", "bf16", "int8")
    taken = [(name, encoder_kernel(name)) for name in asked]
    first = encoder_kernels()[0]
    return ", ".join(f"{name} {first if kernel == 'auto' else kernel or 'none'}" for name, kernel in taken)


def _auto(bundle: Bundle) -> Answer:
    from edge_sr.backends.autotune import known_choice

    found = known_choice(bundle, available_cores())
    if found is None:
        return "absent", "auto has not measured here yet: the first run with it does", ""
    return "ready", f"auto takes {found.times or found.why}", ""


def _openvino() -> Answer:
    if find_spec("openvino") is None:
        return _missing("openvino")
    from edge_sr.backends.openvino.core import process_core

    return (
        "ready",
        f"{package_version('openvino')}, devices {', '.join(process_core().available_devices)}",
        "",
    )


def _cuda() -> Answer:
    """The project's own kernels: for which GPU, from where, and what drives it."""
    from edge_sr.backends.cuda.compiler.images import describe_kernels

    gpu, package = gpu_if_any(), installed_package()
    needs = ([] if gpu else [GPU]) + ([] if package else [CUDA])
    if gpu is None or package is None:
        return "absent", f"{package or 'no driver package'}, {describe_kernels(None)}", ", ".join(needs)
    detail = f"{gpu.name}, compute capability {gpu.compute_capability}, by {package}"
    kernels = describe_kernels(tuple(map(int, gpu.compute_capability.split("."))))
    return "ready", f"{detail}; {kernels}", ""


def _tensorrt(flavour: Flavour) -> Answer:
    """All that this flavour lacks here to run, and whether its engines can be built all the same."""
    version, gpu = installed_version(flavour), gpu_if_any()
    needs = [] if version else [_missing(flavour.module)[2]]
    if gpu is None:
        needs.append(GPU)
    elif flavour is Flavour.RTX and gpu.compute_capability not in RTX_COMPUTE_CAPABILITIES:
        needs.append(f"a GPU that TensorRT for RTX knows (not {gpu.compute_capability})")
    if installed_package() is None:
        needs.append(CUDA)
    found = version or "not installed"
    if not needs:
        load(flavour)  # one that is too old, or does not load, says so
        return "ready", f"{found} with {gpu.name if gpu else ''}", ""
    builds = version is not None and (flavour is Flavour.RTX or gpu is not None)
    can = "engines can be built, not run" if builds else "engines cannot be built or run"
    return "absent", f"{found}: {can}", ", ".join(needs)


def _gpu() -> Answer:
    gpu = find_gpu()
    return "ready", f"{gpu.name}, compute capability {gpu.compute_capability}, {gpu.memory_mib} MiB", ""


def _pycuda() -> Answer:
    if find_spec("pycuda") is None:
        return _missing("pycuda")
    version = package_version("pycuda") or "of unknown version"
    try:
        importlib.import_module("pycuda.driver")
    except ImportError as error:
        if "libcuda" not in str(error):
            raise
        return "absent", f"{version}, but no NVIDIA driver: libcuda is not found", GPU
    return "ready", version, ""


def _codecs() -> Answer:
    import av
    import av.codec

    from edge_sr.video.encode.codecs import CODECS

    by_ffmpeg = [codec for codec in CODECS.values() if not codec.element]
    usable = [codec for codec in by_ffmpeg if not codec.is_hardware or _answer(_gpu)[0] == "ready"]
    lacking = [codec.name for codec in usable if codec.encoder not in av.codec.codecs_available]
    version = ".".join(map(str, av.library_versions["libavcodec"]))
    writes = ", ".join(codec.name for codec in usable if codec.name not in lacking)
    detail = f"PyAV {av.__version__}, libavcodec {version}, writes {writes}"
    if lacking:
        return "broken", f"{detail}; lacks {', '.join(lacking)}", "pip install --force-reinstall av"
    return "ready", detail, ""


def _vmaf() -> Answer:
    if find_spec("imageio_ffmpeg") is None:
        return _missing("imageio_ffmpeg")
    return "ready", f"imageio-ffmpeg {package_version('imageio-ffmpeg')}", ""


def _gstreamer() -> Answer:
    if find_spec("gi") is None:
        return _missing("gi")
    importlib.import_module("gi").require_version("Gst", "1.0")
    return "ready", "GStreamer 1.0 through PyGObject", ""


def _package(module: str, distribution: str, purpose: str) -> Answer:
    if find_spec(module) is None:
        state, detail, install = _missing(module)
        return state, f"{detail}; for {purpose}", install
    return "ready", f"{package_version(distribution) or 'of unknown version'}, for {purpose}", ""


def _missing(module: str) -> Answer:
    return "absent", "not installed", f"pip install 'edge-sr[{EXTRAS[module]}]'"


PROBES: tuple[tuple[str, str, Callable[[], Answer]], ...] = (
    ("backend", "onnxruntime", _onnxruntime),
    ("backend", "native", _native),
    ("backend", "openvino", _openvino),
    ("backend", "cuda", _cuda),
    ("backend", "tensorrt", lambda: _tensorrt(Flavour.TENSORRT)),
    ("backend", "tensorrt-rtx", lambda: _tensorrt(Flavour.RTX)),
    ("device", "gpu", _gpu),
    ("device", "pycuda", _pycuda),
    ("media", "ffmpeg", _codecs),
    ("media", "gstreamer", _gstreamer),
    ("media", "vmaf", _vmaf),
)
