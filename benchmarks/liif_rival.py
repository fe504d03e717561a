"""A frame by LIIF over EDSR-baseline, 16 blocks of 64 channels, and by shipped bundles, in turns, on the same cores.

LIIF is the paper's own form in PyTorch, float32, as its programs run it on a CPU; its weights are drawn, which changes
nothing of the time. Needs the extra `export`.

    python benchmarks/liif_rival.py [--bundle diinn-nano diinn-edge] [--input-size 160x90] [--scale 2.7]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from opencv_rival import in_turns

from edge_sr import Upscaler
from edge_sr.benchmark.bench import noise
from edge_sr.machine.description import available_cores, describe
from edge_sr.models.implicit.liif import Liif, LiifOptions
from edge_sr.sizes import output_size, parse_scale, parse_size
from edge_sr.spec import EncoderSpec


def main() -> None:
    arguments = parse_arguments()
    given = parse_size(arguments.input_size, "--input-size")
    wanted = output_size(*given, scale=parse_scale(arguments.scale))
    frame = noise(given)
    with ExitStack() as stack:
        ours = [stack.enter_context(Upscaler(bundle)) for bundle in arguments.bundle]
        calls = [partial(upscaler, frame, size=wanted) for upscaler in ours]
        theirs, *times = in_turns(rival(frame, wanted), *calls, rounds=5)
    about = describe()
    print(f"{about['cpu']}, {about['cores']} cores; {arguments.input_size}, x{arguments.scale}")
    print(f"{'LIIF over EDSR-baseline, PyTorch float32':44} {theirs:8.1f} ms")
    for upscaler, spent in zip(ours, times, strict=True):
        name = f"{upscaler.model} on {upscaler.backend} {upscaler.precision}"
        print(f"{name:44} {spent:8.1f} ms  {theirs / spent:6.1f} times as fast")


def rival(frame: Any, wanted: tuple[int, int]) -> Callable[[], Any]:
    """LIIF's run over the frame, ready to be called."""
    torch.set_num_threads(available_cores())
    torch.manual_seed(1)
    network = Liif(LiifOptions(EncoderSpec("edsr", 64, 16))).eval()
    picture = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255

    def run() -> Any:
        with torch.inference_mode():
            return network(picture, (wanted[1], wanted[0]))

    return run


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time LIIF over EDSR-baseline beside bundles.")
    parser.add_argument("--bundle", nargs="+", default=["diinn-nano", "diinn-edge"])
    parser.add_argument("--input-size", default="160x90")
    parser.add_argument("--scale", default="2.7")
    return parser.parse_args()


if __name__ == "__main__":
    main()
