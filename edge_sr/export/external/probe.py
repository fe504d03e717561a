"""What an external ONNX model takes and gives, found by running it: layout, range, scale and field.

Runs as a process of its own with a memory limit, because the graph is foreign.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edge_sr.backends.onnxruntime.runner import open_session
from edge_sr.errors import BundleError, CheckpointError, ConfigError
from edge_sr.export.external.gain import LEAST_GAIN_DB, PROBED, Array, Run, gain_db, padded_to
from edge_sr.export.external.reach import reach_of
from edge_sr.export.receptive import given_inputs
from edge_sr.files.config import from_mapping
from edge_sr.machine.child import python_child
from edge_sr.sizes import size_text

MEMORY = 6 << 30
SECONDS = 300
LAYOUTS, TOPS, CHANNELS = ("NCHW", "NHWC"), (1, 255), (3, 1)
# How much better another value of white must do than 1: where it is right, 1 falls short by far more.
CLEARLY_DB = 3.0
MULTIPLES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128)


@dataclasses.dataclass(frozen=True)
class Findings:
    """``layout`` NCHW or NHWC; ``top`` and ``output_top``: the value of white at the input and at the output, 1 or
    255; ``dtype`` of the input; ``channels`` 1 (luma) or 3; ``reach``: input pixels around one that can change it,
    -1 for the whole frame;
    ``gain_db``: PSNR on a shrunk test card less bicubic's; ``multiple``: sides that it takes are multiples of that."""

    input: str
    output: str
    layout: str
    dtype: str
    top: int
    output_top: int
    channels: int
    scale: int
    reach: int
    gain_db: float
    multiple: int = 1


@dataclasses.dataclass(frozen=True)
class Stated:
    """What the user knows of the network; the rest ("" or 0) is found."""

    layout: str = ""
    top: int = 0
    channels: int = 0

    def __post_init__(self) -> None:
        for key, known in (("layout", LAYOUTS), ("top", TOPS), ("channels", CHANNELS)):
            value = getattr(self, key)
            if value and value not in known:
                raise ConfigError(f"{key} must be {' or '.join(map(str, known))}, found {value!r}")


def probe(path: Path, stated: Stated = Stated()) -> Findings:
    """Run the network in a process of its own; ``CheckpointError`` for one that is not taken, crashes or hangs."""
    known = json.dumps(dataclasses.asdict(stated))
    command = python_child("from edge_sr.export.external.probe import main; main()", str(path), known)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise CheckpointError(f"{path} ran for {SECONDS} s on a small picture and was stopped") from error
    if done.returncode == 4:
        raise CheckpointError(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise CheckpointError(f"{path} cannot be run: its trial ended with status {done.returncode}")
    return from_mapping(Findings, json.loads(done.stdout), str(path))


def main() -> None:
    _limit_memory()
    path = Path(sys.argv[1])
    try:
        stated = from_mapping(Stated, json.loads(sys.argv[2]), "stated")
        print(json.dumps(dataclasses.asdict(examine(path, stated))))
    except (CheckpointError, MemoryError) as error:
        print(str(error) or f"{path} takes more than {MEMORY >> 30} GB for a small picture", file=sys.stderr)
        sys.exit(4)


def _limit_memory() -> None:
    if sys.platform == "win32":  # there is no such limit
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def examine(path: Path, stated: Stated) -> Findings:
    """Everything about the network in ``path``; ``CheckpointError`` when it is none for pictures."""
    model = onnx.load_model(path)
    given, made = _ports(path, model)
    session = _opened(path)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    if dtype not in (np.float32, np.float16, np.uint8):
        raise CheckpointError(
            f"{path}: input {given.name} is {dtype}, expected float32, float16 or uint8 pictures"
        )
    readings = _readings(path, session, given.name, dtype, stated)
    best = _best(readings)
    if not best.gain >= LEAST_GAIN_DB:
        raise CheckpointError(
            f"{path} does not enlarge pictures: {best.gain:.1f} dB from bicubic at best ({best.layout}, "
            f"{white_at(best)}), expected {LEAST_GAIN_DB:.0f} or more; state layout and top in a spec if that is wrong"
        )

    def run(picture: Array) -> Array:
        return _result(session, given.name, picture, best.layout, best.top, dtype)

    return Findings(
        input=given.name,
        output=made.name,
        layout=best.layout,
        dtype=str(dtype),
        top=best.top,
        output_top=best.output_top,
        channels=best.channels,
        scale=best.scale,
        reach=reach_of(padded_to(best.multiple, best.scale, run), best.channels, model),
        gain_db=round(best.gain, 2),
        multiple=best.multiple,
    )


def _ports(path: Path, model: onnx.ModelProto) -> tuple[onnx.ValueInfoProto, onnx.ValueInfoProto]:
    inputs = given_inputs(model)
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise CheckpointError(
            f"{path}: expected one input and one output, a picture each; found inputs "
            f"{[value.name for value in inputs]} and outputs {[value.name for value in model.graph.output]}"
        )
    rank = len(inputs[0].type.tensor_type.shape.dim)
    if rank != 4:
        raise CheckpointError(f"{path}: input {inputs[0].name} has {rank} axes, expected 4")
    return inputs[0], model.graph.output[0]


def _opened(path: Path) -> Any:
    try:
        return open_session(path, 1)
    except BundleError as error:
        raise CheckpointError(str(error)) from error


@dataclasses.dataclass(frozen=True)
class Reading:
    """One way to take the input: how close the result then comes to the picture that was shown."""

    gain: float
    layout: str
    top: int
    output_top: int
    channels: int
    scale: int
    multiple: int


def _best(readings: list[Reading]) -> Reading:
    """The one that comes closest, with white at 1 unless another value does clearly better.

    Biases made for 255 spoil all at 1. Those made for 1 hardly count at 255, so that the result is almost right there.
    """
    best = max(readings, key=lambda reading: reading.gain)
    at_one = [one for one in readings if one == dataclasses.replace(best, gain=one.gain, top=1, output_top=1)]
    return next((one for one in at_one if one.gain >= max(best.gain - CLEARLY_DB, LEAST_GAIN_DB)), best)


def white_at(found: Reading | Findings) -> str:
    """The value of white in words, both of them where input and output differ."""
    if found.top == found.output_top:
        return f"white at {found.top}"
    return f"white at {found.top} in the input, {found.output_top} in the output"


def _readings(path: Path, session: Any, name: str, dtype: Any, stated: Stated) -> list[Reading]:
    """Every reading that the network accepts; ``CheckpointError`` with all obstacles when it is none."""
    readings: list[Reading] = []
    output_tops = TOPS if "float" in session.get_outputs()[0].type else (255,)
    obstacles: dict[str, list[str]] = {}
    for layout, channels, top in _ways(dtype, stated):

        def run(picture: Array, layout: str = layout, top: int = top) -> Array:
            return _result(session, name, picture, layout, top, dtype)

        try:
            multiple, scale = _least_multiple(run, channels)
            padded = padded_to(multiple, scale, run)
            for output_top in output_tops:
                gain = gain_db(padded, scale, channels, output_top)
                readings.append(Reading(gain, layout, top, output_top, channels, scale, multiple))
        except CheckpointError as error:
            way = f"{'RGB' if channels == 3 else 'luma'} {layout}"
            obstacles.setdefault(str(error), []).append(way)
    if not readings:
        tried = "; ".join(f"as {' and '.join(dict.fromkeys(ways))}: {why}" for why, ways in obstacles.items())
        raise CheckpointError(
            f"{path} takes no picture of {size_text(PROBED)} or of sides that are multiples, {tried}"
        )
    return readings


def _least_multiple(run: Run, channels: int) -> tuple[int, int]:
    """What sides must be multiples of, at least, and the network's scale; the first obstacle when none will do."""
    obstacle: CheckpointError | None = None
    for multiple in MULTIPLES:
        size = (_sharply(multiple, PROBED[0]), _sharply(multiple, PROBED[1]))
        larger = (size[0] + multiple, size[1] + multiple)
        try:
            scale = _scale(size, run(_black(size, channels)))
            if multiple > 1:  # what takes one size alone seems to take its multiples
                _scale(larger, run(_black(larger, channels)))
            return multiple, scale
        except CheckpointError as error:
            obstacle = obstacle or error
    assert obstacle is not None
    raise obstacle


def _sharply(multiple: int, least: int) -> int:
    """A multiple from ``least`` on that is none of any larger number tried: times a number without 2 and 3 in it."""
    times = -(-least // multiple)
    while math.gcd(times, 6) != 1:
        times += 1
    return times * multiple


def _ways(dtype: Any, stated: Stated) -> Iterator[tuple[str, int, int]]:
    layouts = (stated.layout,) if stated.layout else LAYOUTS
    channels = (stated.channels,) if stated.channels else CHANNELS
    tops = (stated.top,) if stated.top else (255,) if dtype == np.uint8 else TOPS
    return itertools.product(layouts, channels, tops)


def _black(size: tuple[int, int], channels: int) -> Array:
    return np.zeros((size[1], size[0], channels), np.float32)


def _result(session: Any, name: str, picture: Array, layout: str, top: int, dtype: Any) -> Array:
    """``h x w x channels`` in [0, 1] to the network's own values, float32; ``CheckpointError`` when it refuses."""
    given = (picture * top).round() if dtype == np.uint8 else picture * np.float32(top)
    given = given.astype(dtype)
    given = given[None] if layout == "NHWC" else given.transpose(2, 0, 1)[None]
    try:
        made: Array = session.run(None, {name: np.ascontiguousarray(given)})[0]
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        size, reason = f"{picture.shape[1]}x{picture.shape[0]}", " ".join(str(error).split())
        raise CheckpointError(f"it refuses a {size} picture: {reason}") from error
    if made.ndim != 4 or made.shape[0] != 1:
        raise CheckpointError(f"its output has the shape {made.shape}, expected one picture")
    made = made[0] if layout == "NHWC" else made[0].transpose(1, 2, 0)
    return made.astype(np.float32)


def _scale(size: tuple[int, int], made: Array) -> int:
    scale: int = made.shape[0] // size[1]
    if scale < 1 or made.shape[:2] != (scale * size[1], scale * size[0]) or made.shape[2] not in (1, 3):
        raise CheckpointError(f"it makes {made.shape} out of {size_text(size)}, no whole multiple of it")
    return scale
