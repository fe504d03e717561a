"""Graphs tried on frames: the pictures they make, and what those lose against FP32's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_sr.calibration.frames.selection import Sample
from edge_sr.calibration.recipe import Recipe
from edge_sr.machine.optional import require
from edge_sr.quality import psnr, psnr_y

Picture = NDArray[np.uint8]
Shape = tuple[int, ...]
Models = Mapping[str, onnx.ModelProto]  # by role
Tensors = dict[str, NDArray[Any]]  # by the names of their points
Sight = tuple[Picture, Shape]  # a frame, ``h x w x 3``, and the shape of the picture to make of it
Draw = Callable[[Picture, Shape], Picture]

# A picture equal to its reference has no PSNR; this is beyond what 8 bits can show.
MOST_DB = 100.0


@dataclasses.dataclass(frozen=True)
class PsnrLoss:
    """dB of ``psnr_y`` lost against FP32: the mean, the worst frame and scale, and which that was."""

    mean_db: float
    worst_db: float
    worst: str = ""

    def __str__(self) -> str:
        return f"{self.mean_db:+.4f} dB, worst {self.worst_db:+.4f} dB ({self.worst})"


def open_graph(model: onnx.ModelProto, threads: int, *, simulate: bool = True) -> Any:
    """A session on the CPU. Simulated, Q/DQ pairs round in float32 and no integer kernel replaces them."""
    ort = require("onnxruntime", "edge-sr calibrate")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if simulate:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Subject(Protocol):
    """A bundle's graphs that calibration rounds, and how pictures are made with them.

    ``models``: those in FP32; ``main``: the role of the one that reads the picture, which is equalised.
    """

    main: str
    models: Models

    def drawer(self, models: Models, *, simulate: bool = True) -> Draw:
        """Makes pictures with ``models``; those that are not given are FP32's."""

    def activations(
        self, models: Models, parts: Collection[str], sights: Iterable[Sight]
    ) -> Iterator[Tensors]:
        """Every point's values in the graphs of ``parts``, sight by sight."""

    def work(self, scheme: str, recipe: Recipe) -> dict[str, int]:
        """The layers that ``scheme`` may quantise, and their multiply-adds for each LR pixel, at twice the size."""


@dataclasses.dataclass(frozen=True)
class _Case:
    name: str
    scale: Fraction
    low: Picture
    high: Picture


class Trial:
    """Frames at scales, and a subject's FP32 graphs to hold others against.

    ``models`` are those graphs, equalised or not; ``residual`` is the recipe's.
    """

    def __init__(
        self,
        subject: Subject,
        models: Models,
        frames: Sequence[Sample],
        scales: Sequence[Fraction],
        residual: str = "float",
    ) -> None:
        self.subject, self.models, self.residual = subject, models, residual
        self._cases = [_Case(frame.name, scale, *frame.pair(scale)) for scale in scales for frame in frames]
        self.reference = list(self.pictures({}))
        self._reference_db = self._qualities(self.reference)

    @property
    def main(self) -> onnx.ModelProto:
        """The graph that reads the picture."""
        return self.models[self.subject.main]

    def pictures(self, models: Models, *, simulate: bool = True) -> Iterator[Picture]:
        """What the graphs make of every frame at every scale; FP32's stand for those that are not given."""
        draw = self.subject.drawer({self.subject.main: self.main, **models}, simulate=simulate)
        for case in self._cases:
            yield draw(case.low, case.high.shape)

    def loss(self, pictures: Sequence[Picture]) -> PsnrLoss:
        """What the pictures lose against FP32's, both held against the references."""
        lost = self._reference_db - self._qualities(pictures)
        worst = int(lost.argmax())
        name = f"{self._cases[worst].name} x{float(self._cases[worst].scale):g}"
        return PsnrLoss(float(lost.mean()), float(lost[worst]), name)

    def figures(self, loss: PsnrLoss, pictures: Sequence[Picture]) -> dict[str, Any]:
        """The pictures' loss and distance, rounded and by name, as bundles and tables state them."""
        psnr_db, levels = self.distance(pictures)
        rounded = {
            "mean_db": round(loss.mean_db, 5),
            "worst_db": round(loss.worst_db, 5),
            "worst": loss.worst,
        }
        return {**rounded, "psnr_db": round(psnr_db, 3), "levels": levels}

    def distance(self, pictures: Sequence[Picture]) -> tuple[float, int]:
        """Lowest PSNR over RGB against FP32's pictures in dB, and the largest difference in levels."""
        pairs = list(zip(pictures, self.reference, strict=True))
        levels = max(int(np.abs(a.astype(int) - b).max()) for a, b in pairs)
        return min(min(psnr(a, b), MOST_DB) for a, b in pairs), levels

    def errors(self, pictures: Sequence[Picture]) -> list[float]:
        """Each picture's mean squared difference from FP32's, in squared levels."""
        pairs = zip(pictures, self.reference, strict=True)
        return [float(np.mean((a.astype(np.float64) - b) ** 2)) for a, b in pairs]

    def _qualities(self, pictures: Sequence[Picture]) -> NDArray[np.float64]:
        pairs = zip(pictures, self._cases, strict=True)
        return np.array([min(psnr_y(picture, case.high, case.scale), MOST_DB) for picture, case in pairs])
