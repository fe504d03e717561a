"""The first run of engines on a device, held against ONNX Runtime on a picture that comes with the package.

TensorRT has compiled graphs to wrong results without a word, and dynamic shapes to wrong results in some of them
(NVIDIA/TensorRT #4330, #4419). So before engines compute in shapes that are new to this device and driver, their
result for the built-in picture, in just these shapes, is compared with the FP32 graphs on the CPU. The outcome is
kept beside the engines.
"""

from __future__ import annotations

import abc
import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import DeviceNetwork, Runner, RunnerConfig
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.engines.store.identity import Proof, Shape
from edge_sr.engines.store.store import EngineFile, EngineStore
from edge_sr.errors import EdgeSRError, EngineError
from edge_sr.kinds import Role, SampleType
from edge_sr.machine.gpu import Gpu
from edge_sr.tensors import Frame, Image, reference_card

LEAST_DB = 50.0
INT8_MARGIN_DB = 0.5

# Output pixels a side, in two corners, that the CPU computes: verifying must not take longer than the film.
CORNER_SIDE = 96
# Shapes that are verified and remembered; a live picture has no end of them, and so many tell enough.
MOST_SHAPES = 64

Corner = tuple[slice, slice]
"""Rows and columns."""
Inner = TypeVar("Inner", bound=Runner | DeviceNetwork)


class Engines(Protocol):
    """What verifying needs to know of the engines in use."""

    config: RunnerConfig
    gpu: Gpu
    store: EngineStore
    used: dict[Role, EngineFile]

    def open_for(self, image: Shape) -> Shape:
        """Find the engines for pictures of this shape, so that ``used`` names them; what shape they are given."""

    def remember(self, role: Role, file: EngineFile) -> None:
        """The engine in use for ``role``, with what was learnt of it."""

    def close(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class VerificationRun:
    """Engines' result for the built-in picture, the CPU's, what the engines took once they were warm, and the shapes
    that they computed in."""

    result: NDArray[Any]
    reference: NDArray[Any]
    milliseconds: float
    shapes: str


def trial(
    on_device: Callable[[], NDArray[Any]],
    on_cpu: Callable[[], NDArray[Any]],
    shapes: Callable[[], str],
) -> VerificationRun:
    """The second run on the device counts: a graph is captured in it where there are graphs, and where memory was too
    short for the shapes that were asked for, it has those that are left."""
    on_device()
    began = time.perf_counter()
    result = on_device()
    milliseconds = 1000 * (time.perf_counter() - began)
    return VerificationRun(result, on_cpu(), milliseconds, shapes())


def corners(height: int, width: int, side: int = CORNER_SIDE) -> list[Corner]:
    """The first and the last corner of a picture, of ``side`` pixels each way where there are so many."""
    first = slice(0, min(height, side)), slice(0, min(width, side))
    return [first, (slice(max(0, height - side), height), slice(max(0, width - side), width))]


def verifying_first(frames: Iterable[Frame], verify: Callable[[Shape], None]) -> Iterator[Frame]:
    """The frames, once engines are verified at the first one's shape, which all the others have."""
    for number, frame in enumerate(frames):
        if number == 0:
            verify((1, *frame.shape))
        yield frame


class Verified(Generic[Inner], abc.ABC):
    """Verifies engines before they compute in new shapes; what it wraps computes the pictures.

    Raises ``EngineError`` for engines that failed, now or at an earlier run on this device.
    """

    def __init__(self, inner: Inner, engines: Engines, driver: Driver) -> None:
        self.backend = inner.backend
        self._inner, self._engines, self._driver = inner, engines, driver
        # Sizes of pictures whose engines are open, and shapes that were verified.
        self._seen: set[Hashable] = set()
        self._trying = False

    @property
    def device_bytes(self) -> int:
        return self._inner.device_bytes or 0

    def _open_for(self, image: Shape) -> Shape:
        """What the engines for such pictures are given; ``EngineError`` when one of them is known to be wrong."""
        with self._driver.entered():
            given = self._engines.open_for(image)
        for file in self._engines.used.values():
            require_passed(file)
        return given

    def _verify_all(
        self, image: Shape, shapes: Callable[[], str], attempt: Callable[[], VerificationRun]
    ) -> None:
        """Verify what pictures of this shape are computed in, as ``shapes`` names it.

        It grows smaller where memory is short, also while it is tried: then the smaller ones are verified, too.
        """
        if self._trying:
            return
        if image not in self._seen:
            self._open_for(image)
            self._seen.add(image)
        while (current := shapes()) not in self._seen:
            self._open_for(image)
            self._trying = True
            try:
                self._verify(current, attempt)
            finally:
                self._trying = False
            self._seen.add(current)

    def _verify(self, shapes: str, attempt: Callable[[], VerificationRun]) -> None:
        """Try the engines in use in ``shapes``, unless this device and driver have."""
        engines = self._engines
        if not all(_known(file, engines.gpu, shapes) for file in engines.used.values()):
            tried = attempt()
            for role, file in list(engines.used.items()):
                engines.remember(role, _kept(engines.store, file, _proof(engines, file, tried)))
        for file in engines.used.values():
            require_passed(file)

    def close(self) -> None:
        self._inner.close()
        with self._driver.entered():
            self._engines.close()
        self._driver.close()


def _kept(store: EngineStore, file: EngineFile, proof: Proof) -> EngineFile:
    """A store that cannot be written to is still of use: the next run verifies again."""
    try:
        return store.keep_proof(file, proof)
    except EdgeSRError as error:
        warnings.warn(f"what verifying {file.path.name} came to is not kept: {error}", stacklevel=2)
        return dataclasses.replace(file, manifest=dataclasses.replace(file.manifest, proof=proof))


def _same_device(proof: Proof, gpu: Gpu) -> bool:
    return (proof.device, proof.driver) == (gpu.identity, gpu.driver_cuda)


def _known(file: EngineFile, gpu: Gpu, shapes: str) -> bool:
    proof = file.manifest.proof
    if proof is None or not _same_device(proof, gpu):
        return False
    return shapes in proof.shapes or len(proof.shapes) >= MOST_SHAPES


def _proof(engines: Engines, file: EngineFile, tried: VerificationRun) -> Proof:
    """The worst of what was seen on this device so far."""
    key, earlier = file.manifest.key, file.manifest.proof
    psnr, levels = difference(tried.result, tried.reference)
    found = Proof(
        psnr_db=round(min(psnr, 200.0), 2),
        largest_level=levels,
        milliseconds=round(tried.milliseconds, 2),
        device=engines.gpu.identity,
        driver=engines.gpu.driver_cuda,
        flavour=key.flavour,
        version=key.version,
        passed=psnr >= required_db(engines.config),
        shapes=(tried.shapes,),
    )
    if earlier is None or not _same_device(earlier, engines.gpu):
        return found
    return dataclasses.replace(
        found,
        psnr_db=min(found.psnr_db, earlier.psnr_db),
        largest_level=max(found.largest_level, earlier.largest_level),
        passed=found.passed and earlier.passed,
        shapes=tuple(dict.fromkeys([*earlier.shapes, tried.shapes])),
    )


def require_passed(file: EngineFile) -> None:
    """``EngineError`` for an engine whose verification failed."""
    proof = file.manifest.proof
    if proof is not None and not proof.passed:
        raise EngineError(
            f"engine {file.path.name} computes wrong pictures ({proof.psnr_db} dB from ONNX Runtime on "
            f"{proof.device}); use --backend onnxruntime, or build it anew with edge-sr build, best with another "
            "TensorRT"
        )


def required_db(config: RunnerConfig) -> float:
    """50 dB, or for INT8 what the bundle states for it less half a dB."""
    graph = config.find("decoder") or config.find("network")
    if config.precision != "int8" or graph is None or graph.psnr_db is None:
        return LEAST_DB
    return graph.psnr_db - INT8_MARGIN_DB


def difference(result: NDArray[Any], reference: NDArray[Any]) -> tuple[float, int]:
    """PSNR in dB over all values, infinite when equal, and the largest difference in 8-bit levels."""
    unit = 1.0 if reference.dtype == np.uint8 else 255.0
    error = unit * (result.astype(np.float64) - reference.astype(np.float64))
    mean = float(np.square(error).mean())
    psnr = math.inf if mean == 0 else 10 * math.log10(255.0**2 / mean)
    return (psnr, round(float(np.abs(error).max()))) if math.isfinite(mean) else (0.0, 255)


def built_in_picture(shape: Shape, sample_type: SampleType) -> Image:
    """The package's test picture as ``1 x h x w x 3`` of this shape."""
    card = reference_card(shape[2], shape[1])[None]
    return card if sample_type == "uint8" else card.astype(np.float32) / np.float32(255)


def flattened(parts: list[Image]) -> NDArray[Any]:
    """Several parts of a picture as one list of values."""
    return np.concatenate([part.reshape(-1) for part in parts])
