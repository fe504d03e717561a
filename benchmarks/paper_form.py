"""A whole frame against the paper's form in PyTorch: one run, the same weights, the same threads.

The paper's form evaluates every layer at every output pixel. Against it stands the exported split form, run
as `edge-sr upscale` runs it. The two take turns, frame by frame, and medians are printed, so that whatever
else the machine does falls on both. Needs the `export` extra.

    python benchmarks/paper_form.py                               the default network, 320x180 to x2 and x3.3
    python benchmarks/paper_form.py CHECKPOINT                    another one, exported for this run
    python benchmarks/paper_form.py --paper --input-size 160x90   the paper's own size, random weights
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from edge_sr import Upscaler
from edge_sr.benchmark.bench import noise
from edge_sr.benchmark.cost import paper_cost, split_cost
from edge_sr.bundle import Bundle, Source, open_bundle
from edge_sr.export.bundle import Identity, export_bundle
from edge_sr.grid import sampling_grid
from edge_sr.machine.description import available_cores, describe
from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.models.implicit.diinn import Diinn, Positions
from edge_sr.sizes import Size, output_size, parse_scale, parse_size
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec

SHIPPED, WEIGHTS = (
    "diinn-edge",
    Path(__file__).parent.parent / "export" / "weights" / "diinn-edge.safetensors",
)
PAPER = NetworkSpec("diinn-rdn", EncoderSpec("rdn", 64, 16, 8, 64), DecoderSpec(3, False, (256,) * 4))

Picture = NDArray[np.uint8]


class Times(NamedTuple):
    """Milliseconds of one frame."""

    encoder: float
    decoder: float
    whole: float


def paper_frame(network: Diinn, frame: Picture, after: Size) -> tuple[Picture, Times]:
    """One frame through the reference, uint8 to uint8."""
    start = time.perf_counter()
    picture = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    features = network.encode(picture)
    between = time.perf_counter()
    grid = sampling_grid((frame.shape[1], frame.shape[0]), after, halo=network.halo)
    found = network.decode(features, picture, Positions.from_grid(grid, picture))
    out: Picture = (found.clamp(0, 1) * 255).round().byte()[0].permute(1, 2, 0).contiguous().numpy()
    end = time.perf_counter()
    return out, Times(1000 * (between - start), 1000 * (end - between), 1000 * (end - start))


def split_frame(upscaler: Upscaler, frame: Picture, after: Size) -> tuple[Picture, Times]:
    """One frame through the bundle."""
    start = time.perf_counter()
    result = upscaler.run(frame, size=after)
    whole = 1000 * (time.perf_counter() - start)
    return result.frame.astype(np.uint8, copy=False), Times(
        result.times.encoder_ms, result.times.decoder_ms, whole
    )


def compare(network: Diinn, upscaler: Upscaler, frame: Picture, after: Size, rounds: int) -> dict[str, Any]:
    """Both forms in turns, after one frame each that does not count."""
    theirs, ours = paper_frame(network, frame, after)[0], split_frame(upscaler, frame, after)[0]
    paper, split = [], []
    for _ in range(rounds):
        paper.append(paper_frame(network, frame, after)[1])
        split.append(split_frame(upscaler, frame, after)[1])
    slow, quick = (Times(*map(median, zip(*times, strict=True))) for times in (paper, split))
    return {
        "output_size": f"{after[0]}x{after[1]}",
        "paper_ms": slow._asdict(),
        "split_ms": quick._asdict(),
        "ratio": slow.whole / quick.whole,
        "encoder_ratio": slow.encoder / quick.encoder,
        "decoder_ratio": slow.decoder / quick.decoder,
        "paper_encoder_share": slow.encoder / slow.whole,
        "products_ratio": _products_ratio(network.spec, frame, after),
        "largest_difference": int(np.abs(theirs.astype(int) - ours.astype(int)).max()),
    }


def _products_ratio(spec: NetworkSpec, frame: Picture, after: Size) -> float:
    before = (frame.shape[1], frame.shape[0])
    return paper_cost(spec).gflop(before, after) / split_cost(spec).gflop(before, after)


def subjects(arguments: argparse.Namespace, folder: Path) -> tuple[Diinn, Bundle]:
    """The network in PyTorch and its bundle."""
    if arguments.paper:
        torch.manual_seed(0)
        network = Diinn(PAPER).eval()
        return network, _exported(network, folder)
    checkpoint = load_checkpoint(arguments.checkpoint or WEIGHTS)
    network = Diinn(checkpoint.spec).eval()
    network.load_state_dict(checkpoint.tensors)
    return network, _exported(network, folder) if arguments.checkpoint else open_bundle(SHIPPED)


def _exported(network: Diinn, folder: Path) -> Bundle:
    identity = Identity(network.spec.name, "benchmark", Source("benchmark", "0" * 64))
    return export_bundle(network, identity, folder / "bundle", ("fp32",))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the split form against the paper's form in PyTorch.")
    parser.add_argument(
        "checkpoint", nargs="?", type=Path, help="weights to take instead of the default network's"
    )
    parser.add_argument(
        "--paper", action="store_true", help="the paper's network (RDN, 4 x 256), random weights"
    )
    parser.add_argument("--input-size", default="320x180")
    parser.add_argument("--scales", default="2,3.3")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@torch.inference_mode()
def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(available_cores())
    frame = noise(parse_size(arguments.input_size, "--input-size"))
    with tempfile.TemporaryDirectory() as folder:
        network, bundle = subjects(arguments, Path(folder))
        with Upscaler(bundle, backend=arguments.backend, precision=arguments.precision) as upscaler:
            found = {
                scale: compare(
                    network, upscaler, frame, _after(arguments.input_size, scale), arguments.rounds
                )
                for scale in arguments.scales.split(",")
            }
            print_results(found, upscaler, arguments)


def _after(input_size: str, scale: str) -> Size:
    return output_size(*parse_size(input_size), scale=parse_scale(scale))


def print_results(
    found: dict[str, dict[str, Any]], upscaler: Upscaler, arguments: argparse.Namespace
) -> None:
    """A few lines for each scale, or one JSON object."""
    machine = describe()
    if arguments.json:
        print(
            json.dumps(
                {"machine": machine, "model": upscaler.model, "backend": upscaler.backend, "scales": found}
            )
        )
        return
    print(f"{upscaler.model} {arguments.input_size} on {machine['cpu']}, {upscaler.threads} threads")
    print(f"torch {torch.__version__} against {upscaler.encoder_backend} and {upscaler.backend}")
    for scale, figures in found.items():
        print(
            f"x{scale} to {figures['output_size']}: {figures['ratio']:.2f} times as fast"
            f"\n  ms a frame, encoder + decoder = whole: paper {_sum(figures['paper_ms'])}, "
            f"split {_sum(figures['split_ms'])}"
            f"\n  encoder {figures['encoder_ratio']:.2f}, decoder {figures['decoder_ratio']:.2f} times; "
            f"by the count of products the whole would be {figures['products_ratio']:.2f}"
            f"\n  encoder's share of the paper's form {figures['paper_encoder_share']:.0%}; "
            f"largest difference {figures['largest_difference']} levels"
        )


def _sum(times: dict[str, float]) -> str:
    return f"{times['encoder']:.0f} + {times['decoder']:.0f} = {times['whole']:.0f}"


if __name__ == "__main__":
    main()
