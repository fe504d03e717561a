"""The native library's encoder, decoder and whole frame beside the libraries that it stands in for, in one run.

Everything takes its turn round by round, on the same threads and the same picture of noise; medians and best times.

    python benchmarks/native_network.py [--bundle diinn-edge diinn-nano] [--input-size 320x180] [--seconds 30]

Encoders: each of the kernels, ONNX Runtime, and OpenVINO where it is installed. Decoders: the exact kernel, and
that of bfloat16 with maps in bfloat16. Frames: what `auto` takes, each of its precisions, and what a build without the
native encoder had: ONNX Runtime's at fp32, and OpenVINO's at bf16 where that is installed. With `--rival FILE`, one of
OpenCV's networks too (see opencv_rival.py).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opencv_rival import opencv_network

from edge_sr import Upscaler, open_bundle
from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.native.decoder import NativeDecoder
from edge_sr.backends.native.encoder import NativeEncoder
from edge_sr.backends.native.kernels import BF16_KERNELS, INT8_KERNELS, decoder_kernel, encoder_kernel
from edge_sr.backends.native.library import encoder_kernels
from edge_sr.backends.native.residual import read_encoder
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.openvino.encoder import OpenVinoEncoder
from edge_sr.benchmark.bench import noise
from edge_sr.benchmark.peak import by_precision
from edge_sr.bundle import Bundle
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.grid import sampling_grid
from edge_sr.kinds import Precision
from edge_sr.machine.description import available_cores, describe
from edge_sr.sizes import parse_size

SCALE = 2
Work = Callable[[], Any]
Encode = Callable[[NDArray[Any]], NDArray[Any]]


def encoders(bundle: Bundle, threads: int) -> Iterator[tuple[str, Encode]]:
    """By name; those that this machine has not are left out."""
    blocks = bundle.network.encoder.blocks
    for kernel in encoder_kernels():
        if kernel == "portable":
            continue
        for stored, runs in (("fp32", kernel not in INT8_KERNELS), ("int8-cpu", _has_int8(kernel))):
            residual = read_encoder(bundle.graph("encoder", stored, "uint8"), blocks)
            if runs and residual is not None:
                maps = kernel in BF16_KERNELS
                made = NativeEncoder(residual, np.uint8, threads, kernel, bf16_maps=maps)
                yield f"native {kernel} {_named(kernel, stored)}", made.encode
    yield "onnxruntime fp32", OnnxEncoder(RunnerConfig(bundle, "fp32", threads=threads)).encode
    yield from _openvino(bundle, threads)


def _has_int8(kernel: str) -> bool:
    return kernel in INT8_KERNELS or kernel in BF16_KERNELS


def _named(kernel: str, stored: str) -> str:
    return "int8" if stored == "int8-cpu" else "bf16" if kernel in BF16_KERNELS else "fp32"


def _openvino(bundle: Bundle, threads: int) -> Iterator[tuple[str, Encode]]:
    graphs: tuple[tuple[Precision, Any], ...] = (("fp32", "fp32"), ("bf16", "fp32"), ("int8", "int8-cpu"))
    for precision, stored in graphs:
        with suppress(MissingError):
            graph = bundle.graph("encoder", stored, "uint8")
            made = OpenVinoEncoder(graph, precision, threads, bf16_maps=precision != "fp32")
            yield f"openvino {precision}", made.encode


def decoders(
    bundle: Bundle, threads: int, image: NDArray[Any], size: tuple[int, int]
) -> Iterator[tuple[str, Work]]:
    """The kernels of fp32 and bf16, from maps as each reads them."""
    spec, grid = bundle.network.decoder, sampling_grid((image.shape[2], image.shape[1]), size)
    weights = bundle.decoder_weights()
    if weights is None:
        return
    floats = OnnxEncoder(RunnerConfig(bundle, "fp32", threads=threads)).encode(image)
    halves = (floats.view(np.uint32) >> 16).astype(np.uint16)
    with np.load(weights) as arrays:
        kept = dict(arrays)
    for precision in ("fp32", "bf16"):
        kernel = decoder_kernel(precision)
        made = NativeDecoder(kept, spec.widths, spec.mode, spec.bilinear_base, threads, kernel)
        maps = halves if kernel in BF16_KERNELS else floats
        yield (
            f"native {made.kernel}",
            lambda made=made, maps=maps: made.decode(
                maps, image, grid.rows, grid.cols, grid.offset_y, grid.offset_x, grid.ratio
            ),
        )


def works(bundle: Bundle, image: NDArray[Any], size: tuple[int, int]) -> Iterator[tuple[str, Work]]:
    """Everything that is timed for one bundle."""
    threads = available_cores()
    made = dict(encoders(bundle, threads))
    for name, encode in made.items():
        yield f"encoder {name}", lambda encode=encode: encode(image)
    decode = dict(decoders(bundle, threads, image, size))
    for name, work in decode.items():
        yield f"decoder {name}", work
    for precision in ("auto", "fp32", "bf16", "int8"):
        with suppress(EdgeSRError):
            up = Upscaler(bundle, backend="auto" if precision == "auto" else "native", precision=precision)
            name = f"auto ({up.backend} {up.precision})" if precision == "auto" else f"native {precision}"
            yield f"frame {name}", lambda up=up: up(image[0], size=size)
    yield from _without_native_encoder(made, decode, image)


def _without_native_encoder(
    made: dict[str, Encode], decode: dict[str, Work], image: NDArray[Any]
) -> Iterator[tuple[str, Work]]:
    """Other libraries' encoders, each before the decoder that suits it."""
    names = list(decode)
    for name, encode in made.items():
        if name in ("onnxruntime fp32", "openvino bf16", "openvino int8"):
            work = decode[names[0] if name.endswith("fp32") else names[-1]]
            yield f"frame {name} + decoder", lambda encode=encode, work=work: (encode(image), work())


def in_turns(works: dict[str, Work], seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each, one after another, round by round, after two to warm up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(next(iter(times.values()))) < 5:
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: taken[2:] for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", nargs="+", default=["diinn-edge", "diinn-nano"])
    parser.add_argument("--input-size", default="320x180", metavar="WxH")
    parser.add_argument("--seconds", type=float, default=30, help="for each bundle")
    parser.add_argument("--rival", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    machine = describe()
    print(f"{machine['cpu']}, {machine['cores']} cores, int8 kernel {encoder_kernel('int8')}")
    peaks = by_precision(available_cores())
    print("peak in GFLOPS:", ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items()))
    width, height = parse_size(arguments.input_size, "--input-size")
    image = noise((width, height))[None]
    for name in arguments.bundle:
        everything = dict(works(open_bundle(name), image, (SCALE * width, SCALE * height)))
        if arguments.rival is not None:
            _, upsample = opencv_network(arguments.rival)
            everything[f"frame OpenCV {arguments.rival.stem}"] = lambda upsample=upsample: upsample(image[0])
        for work, taken in in_turns(everything, arguments.seconds).items():
            print(f"{name:<12}{work:<44} median {median(taken):8.2f} ms   best {min(taken):8.2f} ms")


if __name__ == "__main__":
    main()
