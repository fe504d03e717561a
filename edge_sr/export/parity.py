"""Exported graphs against the reference: the largest difference in FP32, dB and levels in FP16."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from edge_sr.errors import ParityError
from edge_sr.export.rounding import rounding_twin
from edge_sr.grid import SamplingGrid, sampling_grid
from edge_sr.kinds import Role, SampleType, StoredPrecision
from edge_sr.machine.optional import require
from edge_sr.tensors import reference_card

# Sizes as (width, height); odd and unequal ones among them.
CASES: tuple[tuple[str, tuple[int, int], tuple[int, int]], ...] = (
    ("1", (23, 17), (23, 17)),
    ("2", (23, 17), (46, 34)),
    ("3", (17, 22), (51, 66)),
    ("4", (16, 13), (64, 52)),
    ("1.5", (21, 16), (32, 24)),
    ("2.7", (19, 15), (51, 41)),
    ("pi", (17, 19), (53, 60)),
    ("8", (9, 11), (72, 88)),
    ("2.2 x 3.7", (15, 13), (33, 48)),
)

LARGE_NETWORK = 20_000_000
FP16_LEAST_DB = 55.0
FP16_MOST_LEVELS = 2
FP16_MOST_BEYOND = 1e-4


@dataclasses.dataclass(frozen=True)
class CaseResult:
    """One scale: FP32's largest difference from the reference in [0, 1], FP16's dB and levels from FP32.

    ``fp16_beyond``: of the case's ``values``, how many lie more than 2 levels from FP32's.
    """

    scale: str
    fp32_difference: float
    fp16_db: float | None = None
    fp16_levels: int | None = None
    fp16_beyond: int = 0
    values: int = 0


class GraphPair:
    """An encoder and a decoder graph run on ONNX Runtime, one frame at a time."""

    def __init__(self, encoder: onnx.ModelProto, decoder: onnx.ModelProto) -> None:
        self._encoder, self._decoder = open_graph(encoder), open_graph(decoder)
        self._wanted = {value.name for value in self._decoder.get_inputs()}

    def run(self, image: NDArray[Any], grid: SamplingGrid) -> NDArray[Any]:
        """``1 x h x w x 3`` to ``1 x Ht x Wt x 3``."""
        maps = self._encoder.run(None, {"image": image})[0]
        given = {"maps": maps, "image": image}
        feeds = {name: given[name] if name in given else getattr(grid, name) for name in self._wanted}
        result: NDArray[Any] = self._decoder.run(None, feeds)[0]
        return result


def open_graph(model: onnx.ModelProto) -> Any:
    """A session of ONNX Runtime on the CPU."""
    ort = require("onnxruntime", "edge-sr export")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


# Role, precision and sample type of a graph.
Key = tuple[Role, StoredPrecision, SampleType]
Graphs = Mapping[Key, onnx.ModelProto]


def measure_parity(network: nn.Module, graphs: Graphs, halo: int = 0) -> list[CaseResult]:
    """Run every case; ``graphs`` maps (role, precision, io) to a graph, ``halo`` is the decoder's.

    Raises ``ParityError`` for FP32 differences above 1e-5 (1e-4 from 20 million parameters on).
    """
    pairs = {
        (precision, io): GraphPair(
            _runnable(graphs, "encoder", precision, io), _runnable(graphs, "decoder", precision, io)
        )
        for role, precision, io in graphs
        if role == "encoder"
    }
    results = [_case(network, pairs, halo, *case) for case in CASES]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    check_parity(results, parameters)
    return results


def _runnable(graphs: Graphs, role: Role, precision: StoredPrecision, io: SampleType) -> onnx.ModelProto:
    model = graphs[role, precision, io]
    return rounding_twin(model) if precision == "fp16" else model


def _case(
    network: nn.Module,
    pairs: Mapping[tuple[StoredPrecision, SampleType], GraphPair],
    halo: int,
    scale: str,
    input_size: tuple[int, int],
    output_size: tuple[int, int],
) -> CaseResult:
    levels = reference_card(*input_size)[None]
    unit = levels.astype(np.float32) / np.float32(255)
    grid = sampling_grid(input_size, output_size, halo=halo)
    reference = _reference(network, unit, output_size)
    exact = pairs["fp32", "float"].run(unit, grid)
    difference = float(np.abs(exact - reference).max())
    if ("fp16", "float") not in pairs:
        return CaseResult(scale, difference)
    rough = pairs["fp16", "float"].run(unit, grid)
    steps = pairs["fp16", "uint8"].run(levels, grid).astype(int) - pairs["fp32", "uint8"].run(levels, grid)
    return with_fp16(CaseResult(scale, difference), decibels(exact, rough), steps)


def with_fp16(case: CaseResult, db: float, steps: NDArray[Any]) -> CaseResult:
    """The case with FP16's figures; ``steps``: its levels less FP32's."""
    far = np.abs(steps)
    beyond = int((far > FP16_MOST_LEVELS).sum())
    return dataclasses.replace(
        case, fp16_db=db, fp16_levels=int(far.max()), fp16_beyond=beyond, values=far.size
    )


def _reference(
    network: nn.Module, unit: NDArray[np.float32], output_size: tuple[int, int]
) -> NDArray[np.float32]:
    with torch.inference_mode():
        picture = torch.from_numpy(unit).permute(0, 3, 1, 2)
        result = network(picture, (output_size[1], output_size[0])).clamp(0, 1).permute(0, 2, 3, 1)
    array: NDArray[np.float32] = result.numpy()
    return array


def decibels(exact: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """PSNR between pictures in [0, 1]."""
    error = float(np.mean((exact.astype(np.float64) - other) ** 2))
    return math.inf if error == 0 else -10 * math.log10(error)


def check_parity(results: list[CaseResult], parameters: int, *, half: bool = False) -> None:
    """``ParityError`` for the first FP32 result that strays too far, for a network of so many parameters.

    ``half``: the network itself computes in float16, which each runtime rounds in places of its own.
    """
    tolerance = 2e-3 if half else 1e-4 if parameters >= LARGE_NETWORK else 1e-5
    for result in results:
        if not result.fp32_difference <= tolerance:
            raise ParityError(
                f"FP32 at scale {result.scale} differs from the reference by {result.fp32_difference:.1e}, "
                f"at most {tolerance:.0e} is allowed; the bundle was not written"
            )


def fp16_shortfall(results: list[CaseResult]) -> str | None:
    """Why FP16 graphs are not good enough to be written; None when they are, or were not asked for."""
    measured = [result for result in results if result.fp16_db is not None]
    for result in measured:
        if not (result.fp16_db or 0.0) >= FP16_LEAST_DB:
            return f"{result.fp16_db:.1f} dB from FP32 at scale {result.scale}, expected {FP16_LEAST_DB:.0f} or more"
    beyond, values = sum(one.fp16_beyond for one in measured), sum(one.values for one in measured)
    if beyond > FP16_MOST_BEYOND * values:
        return (
            f"{beyond} of {values} values are more than {FP16_MOST_LEVELS} levels from FP32's, "
            f"expected at most 1 in {1 / FP16_MOST_BEYOND:,.0f}"
        )
    return None


def accepted(
    graphs: Graphs, results: list[CaseResult], progress: Callable[[str], None]
) -> dict[Key, onnx.ModelProto]:
    """The graphs to write: FP16's are left out, with a line that says why, where they fall short."""
    reason = fp16_shortfall(results)
    if reason is None:
        return dict(graphs)
    progress(f"FP16 is left out of the bundle: {reason}; FP32 is written")
    return {key: graph for key, graph in graphs.items() if key[1] != "fp16"}
