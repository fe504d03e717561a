"""What INT8 gains here, against the fastest FP32 of the same bundle and against Amdahl's law, in one run.

    python benchmarks/int8_speed.py [BUNDLE...] [--input-size 320x180] [--scale 2] [--rounds 15] [--json]

Every CPU backend in FP32 and INT8, frame by frame in turns, medians. Amdahl's law: what the whole frame would gain
if INT8 made the encoder as much faster as it did, and changed nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack
from statistics import median
from typing import Any

from edge_sr import Upscaler, open_bundle
from edge_sr.backends.autotune import BY_NAME_ALONE
from edge_sr.backends.registry import BACKENDS
from edge_sr.benchmark.bench import noise
from edge_sr.bundle import Bundle
from edge_sr.sizes import parse_size

WARM_UP = 2


def ways(bundle: Bundle) -> list[tuple[str, str]]:
    """Backends and precisions that run here."""
    ready = [
        one for one in BACKENDS.values() if one.name not in BY_NAME_ALONE and not one.unavailable_reason()
    ]
    return [(one.name, precision) for one in ready if one.takes(bundle) for precision in ("fp32", "int8")]


def measure(bundle: Bundle, size: tuple[int, int], scale: str, rounds: int) -> list[dict[str, Any]]:
    """A row for every way: medians in milliseconds."""
    frame = noise(size)
    with ExitStack() as stack:
        ups = [
            stack.enter_context(Upscaler(bundle, backend=backend, precision=precision))
            for backend, precision in ways(bundle)
        ]
        times: list[list[tuple[float, float, float]]] = [[] for _ in ups]
        for _ in range(WARM_UP + rounds):
            for up, seen in zip(ups, times, strict=True):
                start = time.perf_counter()
                result = up.run(frame, scale=scale)
                whole = 1000 * (time.perf_counter() - start)
                seen.append((result.times.encoder_ms, result.times.decoder_ms, whole))
        return [row(up, seen[WARM_UP:]) for up, seen in zip(ups, times, strict=True)]


def row(up: Upscaler, seen: list[tuple[float, float, float]]) -> dict[str, Any]:
    encoder, decoder, frame = (median(column) for column in zip(*seen, strict=True))
    names = {"backend": up.backend, "encoder": up.encoder_backend, "precision": up.precision}
    return {**names, "encoder_ms": encoder, "decoder_ms": decoder, "frame_ms": frame}


def gain(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The fastest frame in INT8 against the fastest in FP32."""
    fp32, int8 = (
        min((one for one in rows if one["precision"] == precision), key=lambda one: one["frame_ms"])
        for precision in ("fp32", "int8")
    )
    encoder, share = fp32["encoder_ms"] / int8["encoder_ms"], fp32["encoder_ms"] / fp32["frame_ms"]
    amdahl, seen = 1 / (1 - share + share / encoder), fp32["frame_ms"] / int8["frame_ms"]
    return {
        "encoder": encoder,
        "encoder_share": share,
        "amdahl": amdahl,
        "frame": seen,
        "of_amdahl": seen / amdahl,
    }


def show(name: str, found: dict[str, Any]) -> None:
    for one in found["rows"]:
        times = "".join(f"{one[key]:9.1f}" for key in ("encoder_ms", "decoder_ms", "frame_ms"))
        print(f"{name:18}{one['backend']:13}{one['encoder']:13}{one['precision']:6}{times}")
    told = ", ".join(f"{key} {value:.2f}" for key, value in found["gain"].items())
    print(f"{name}: INT8 gains: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="*", default=["diinn-edge", "diinn-nano", "diinn-edge-video"])
    parser.add_argument("--input-size", default="320x180")
    parser.add_argument("--scale", default="2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size, result = parse_size(options.input_size, "--input-size"), {}
    for name in options.bundles:
        rows = measure(open_bundle(name), size, options.scale, options.rounds)
        result[name] = {"rows": rows, "gain": gain(rows)}
        if not options.json:
            show(name, result[name])
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
