"""A frame by one of OpenCV's super-resolution networks and by a bundle, in turns, on the same threads.

OpenCV's networks enlarge luma alone, by one whole scale that is in the file's name, and chroma is resized; a
bundle enlarges RGB, by any scale. Needs `pip install opencv-contrib-python-headless` and the network's file,
for instance FSRCNN_x2.pb of github.com/Saafke/FSRCNN_Tensorflow (Apache-2.0).

    python benchmarks/opencv_rival.py FSRCNN_x2.pb [--bundle diinn-nano diinn-edge] [--way onnxruntime/fp32 native/int8]
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr import Upscaler
from edge_sr.benchmark.bench import noise
from edge_sr.errors import InputNotFoundError, MissingError, OptionError
from edge_sr.machine.description import available_cores, describe
from edge_sr.sizes import parse_size

Picture = NDArray[np.uint8]
ROUNDS, WARM_UP = 15, 2


def opencv_network(path: Path) -> tuple[int, Callable[[Picture], Any]]:
    """The scale in the file's name, and a function that enlarges a BGR picture by it."""
    named = re.fullmatch(r"([A-Za-z]+)_x(\d)\.pb", path.name)
    if named is None:
        raise OptionError(
            f"expected a name such as FSRCNN_x2.pb, which says network and scale, found {path.name}"
        )
    if not path.is_file():
        raise InputNotFoundError(f"no such file: {path}")
    cv2 = _opencv()
    cv2.setNumThreads(available_cores())
    network = cv2.dnn_superres.DnnSuperResImpl_create()
    network.readModel(str(path))
    network.setModel(named[1].lower(), int(named[2]))
    return int(named[2]), network.upsample


def _opencv() -> Any:
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        raise MissingError("this benchmark needs: pip install opencv-contrib-python-headless") from error


def in_turns(*frames: Callable[[], Any], rounds: int = ROUNDS) -> list[float]:
    """Median milliseconds of each, one after another, round by round."""
    times: list[list[float]] = [[] for _ in frames]
    for _ in range(WARM_UP + rounds):
        for taken, frame in zip(times, frames, strict=True):
            start = time.perf_counter()
            frame()
            taken.append(1000 * (time.perf_counter() - start))
    return [median(taken[WARM_UP:]) for taken in times]


def main() -> None:
    arguments = parse_arguments()
    scale, upsample = opencv_network(arguments.network)
    frame = noise(parse_size(arguments.input_size, "--input-size"))
    with ExitStack() as stack:
        # By the name that was given: two versions of a bundle call themselves the same.
        ours = [
            (bundle, stack.enter_context(Upscaler(bundle, backend=backend, precision=precision)))
            for bundle in arguments.bundle
            for backend, _, precision in (way.partition("/") for way in arguments.way)
        ]
        calls = [partial(upscaler, frame, scale=scale) for _, upscaler in ours]
        theirs, *times = in_turns(partial(upsample, frame), *calls)
        names = [f"{bundle} on {one.backend} {one.precision}" for bundle, one in ours]
    found = {
        "machine": describe(),
        "input_size": arguments.input_size,
        "scale": scale,
        "milliseconds": {arguments.network.stem: theirs, **dict(zip(names, times, strict=True))},
    }
    print(json.dumps(found) if arguments.json else "\n".join(lines(found)))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time an OpenCV super-resolution network beside bundles.")
    parser.add_argument("network", type=Path, help="FSRCNN_x2.pb, ESPCN_x3.pb, ...")
    parser.add_argument("--bundle", nargs="+", default=["diinn-edge"])
    parser.add_argument("--way", nargs="+", default=["auto/auto"], metavar="BACKEND/PRECISION")
    parser.add_argument("--input-size", default="320x180")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Each time, and how many times OpenCV's it is."""
    yield f"{found['machine']['cpu']}, {found['machine']['cores']} cores; {found['input_size']}, x{found['scale']}"
    theirs = next(iter(found["milliseconds"].values()))
    for name, spent in found["milliseconds"].items():
        yield f"{name:40} {spent:7.1f} ms  {spent / theirs:5.2f}"


if __name__ == "__main__":
    main()
