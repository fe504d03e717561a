"""The first run of an engine on a device, held against ONNX Runtime on a picture that comes with the package.

TensorRT has compiled graphs to wrong results without a word. So before an engine's first real frame its
result for the built-in picture is compared with the FP32 graphs on the CPU, and the outcome is kept.
"""

from __future__ import annotations

import abc
import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import ClosingRunner, DeviceNetwork, FlightRunner, PartTimes
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.backends.tensorrt.memory import DeviceMaps
from edge_sr.backends.tensorrt.runner import TensorRTRunner
from edge_sr.bundle import Bundle
from edge_sr.engines.store.cache import Engine as EngineFile
from edge_sr.engines.store.cache import EngineCache
from edge_sr.engines.store.identity import Proof, Shape
from edge_sr.errors import EngineError
from edge_sr.grid import Box, SamplingGrid, sampling_grid
from edge_sr.machine.gpu import Gpu
from edge_sr.tensors import reference_card

LEAST_DB = 50.0
INT8_MARGIN_DB = 0.5

# Output pixels a side that the CPU computes: the proof must not take longer than the film.
PROOF_SIDE = 96

Inner = TypeVar("Inner", bound=FlightRunner | DeviceNetwork)


class Shelf(Protocol):
    """What the proof needs to know of the engines in use."""

    bundle: Bundle
    precision: str
    io: str
    gpu: Gpu
    cache: EngineCache
    used: dict[str, EngineFile]

    def open_for(self, image: Shape) -> Shape:
        """Find the engines for pictures of this shape, so that ``used`` names them; what shape they are given."""

    def close(self) -> None: ...


class Proven(Generic[Inner], abc.ABC):
    """Proves engines before the first picture of each size; what it wraps computes the pictures.

    Raises ``EngineError`` for an engine whose proof failed, now or at an earlier run on this device.
    """

    def __init__(self, inner: Inner, shelf: Shelf, driver: Driver) -> None:
        self.backend = inner.backend
        self._inner, self._shelf, self._driver = inner, shelf, driver
        self._seen: set[Shape] = set()

    @property
    def times(self) -> PartTimes:
        return self._inner.times

    @property
    def device_bytes(self) -> int:
        return self._inner.device_bytes

    def _proven(self, image: NDArray[Any]) -> NDArray[Any]:
        """The picture, once the engines for its size are proven."""
        if image.shape not in self._seen:
            with self._driver.entered():
                given = self._shelf.open_for(image.shape)
            prove(self._shelf, lambda: self._try_engines(given))
            self._seen.add(image.shape)
        return image

    @abc.abstractmethod
    def _try_engines(self, shape: Shape) -> Trial:
        """The built-in picture of ``shape``, the engines' own, on the device and on the CPU."""

    def close(self) -> None:
        self._inner.close()
        with self._driver.entered():
            self._shelf.close()
        self._driver.close()


class ProvenRunner(Proven[TensorRTRunner], ClosingRunner):
    """A ``TensorRTRunner`` that proves its engines."""

    whole_frames = True

    def __init__(self, inner: TensorRTRunner, shelf: Shelf, driver: Driver) -> None:
        super().__init__(inner, shelf, driver)
        self.encoder_backend, self.precision = inner.backend, inner.precision

    def encode(self, image: NDArray[Any]) -> DeviceMaps:
        return self._inner.encode(self._proven(image))

    def decode(self, maps: DeviceMaps, image: NDArray[Any], grid: SamplingGrid) -> NDArray[Any]:
        return self._inner.decode(maps, image, grid)

    def frames(self, images: Iterable[NDArray[Any]], grid: SamplingGrid) -> Iterator[NDArray[Any]]:
        """As ``TensorRTRunner.frames``."""
        return self._inner.frames(map(self._proven, images), grid)

    def _try_engines(self, shape: Shape) -> Trial:
        bundle, picture = self._shelf.bundle, proof_picture(shape, self._shelf.io)
        grid = _corner(bundle, picture)
        return trial(
            lambda: self._inner.decode(self._inner.encode(picture), picture, grid),
            lambda: _on_cpu(bundle, picture, grid),
        )


@dataclasses.dataclass(frozen=True)
class Trial:
    """Engines' result for the built-in picture, the CPU's, and what the engines took once they were warm."""

    result: NDArray[Any]
    reference: NDArray[Any]
    milliseconds: float


def trial(on_device: Callable[[], NDArray[Any]], on_cpu: Callable[[], NDArray[Any]]) -> Trial:
    on_device()
    started = time.perf_counter()
    result = on_device()
    milliseconds = 1000 * (time.perf_counter() - started)
    return Trial(result, on_cpu(), milliseconds)


def prove(shelf: Shelf, attempt: Callable[[], Trial]) -> None:
    """Try the engines in use unless this device and driver have; ``EngineError`` for one that computes wrongly."""
    if not all(_known(file, shelf.gpu) for file in shelf.used.values()):
        tried = attempt()
        for part, file in shelf.used.items():
            shelf.used[part] = shelf.cache.prove(file, _proof(shelf, file, tried))
    for file in shelf.used.values():
        _require_passed(file)


def _known(file: EngineFile, gpu: Gpu) -> bool:
    proof = file.manifest.proof
    return proof is not None and (proof.device, proof.driver) == (gpu.name, gpu.driver_cuda)


def _proof(shelf: Shelf, file: EngineFile, tried: Trial) -> Proof:
    key, (psnr, levels) = file.manifest.key, difference(tried.result, tried.reference)
    return Proof(
        psnr_db=round(min(psnr, 200.0), 2),
        largest_level=levels,
        milliseconds=round(tried.milliseconds, 2),
        device=shelf.gpu.name,
        driver=shelf.gpu.driver_cuda,
        flavour=key.flavour,
        version=key.version,
        passed=psnr >= required_db(shelf.bundle, shelf.precision, shelf.io),
    )


def _require_passed(file: EngineFile) -> None:
    proof = file.manifest.proof
    if proof is None or not proof.passed:
        seen = "without proof" if proof is None else f"{proof.psnr_db} dB from ONNX Runtime on {proof.device}"
        raise EngineError(
            f"engine {file.path.name} computes wrong pictures ({seen}); use --backend onnxruntime, or build "
            "it with another TensorRT"
        )


def required_db(bundle: Bundle, precision: str, io: str) -> float:
    """50 dB, or for INT8 what the bundle states for it less half a dB."""
    graph = bundle.find("decoder", precision, io) or bundle.find("network", precision, io)
    if precision != "int8" or graph is None or graph.psnr_db is None:
        return LEAST_DB
    return graph.psnr_db - INT8_MARGIN_DB


def difference(result: NDArray[Any], reference: NDArray[Any]) -> tuple[float, int]:
    """PSNR in dB over all values, infinite when equal, and the largest difference in 8-bit levels."""
    unit = 1.0 if reference.dtype == np.uint8 else 255.0
    error = unit * (result.astype(np.float64) - reference.astype(np.float64))
    mean = float(np.square(error).mean())
    psnr = math.inf if mean == 0 else 10 * math.log10(255.0**2 / mean)
    return (psnr, round(float(np.abs(error).max()))) if math.isfinite(mean) else (0.0, 255)


def proof_picture(shape: Shape, io: str) -> NDArray[Any]:
    """The built-in picture as ``1 x h x w x 3`` of this shape."""
    card = reference_card(shape[2], shape[1])[None]
    return card if io == "uint8" else card.astype(np.float32) / np.float32(255)


def _corner(bundle: Bundle, picture: NDArray[Any]) -> SamplingGrid:
    """The upper left of the picture at 2.5 times its size."""
    height, width = picture.shape[1:3]
    halo = bundle.description.halo
    after = (width * 5 // 2, height * 5 // 2)
    box = Box(0, 0, min(after[0], PROOF_SIDE), min(after[1], PROOF_SIDE))
    return sampling_grid((width, height), after, box, halo)


def _on_cpu(bundle: Bundle, picture: NDArray[Any], grid: SamplingGrid) -> NDArray[Any]:
    """The FP32 graphs' result, from as much of the picture as the corner depends on."""
    reach = bundle.description.radius + 2
    rows, cols = int(grid.rows.max()) + 1 + reach, int(grid.cols.max()) + 1 + reach
    corner = np.ascontiguousarray(picture[:, :rows, :cols])
    io = "uint8" if picture.dtype == np.uint8 else "float"
    with closing(OnnxRunner(bundle, "fp32", io, 1)) as cpu:
        return cpu.decode(cpu.encode(corner), corner, grid)
