#!/usr/bin/env python3
"""Begin a DIINN of another form from a trained one: more residual blocks, a narrower decoder.

    python export/reform.py TRAINED.safetensors SPEC.toml PICTURES.crops -o START.safetensors

Further blocks begin as the identity. Of each decoder layer the units stay that do most for what follows, seen on
PICTURES, the packed crops of a training run. The result is what ``training.start`` of the spec takes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from edge_sr.errors import CheckpointError, EdgeSRError  # noqa: E402
from edge_sr.files.config import load_toml  # noqa: E402
from edge_sr.models.checkpoint import build, load_checkpoint  # noqa: E402
from edge_sr.models.implicit.diinn import Decoder, Diinn  # noqa: E402
from edge_sr.spec import ModelSpec, NetworkSpec  # noqa: E402
from edge_sr.training.data import crops as packed  # noqa: E402
from edge_sr.training.state import save_weights  # noqa: E402
from edge_sr.training.tasks.sampled import content_maps, synthesis_outputs  # noqa: E402

PICTURES, SIDE, SAMPLES = 20, 96, 60_000
# Cell ratios of x1.5 to x4.
RATIOS = (0.06, 0.45)


def reform(trained: Diinn, spec: NetworkSpec, pictures: Tensor) -> Diinn:
    """A network of ``spec`` that begins where ``trained`` stands; ``pictures`` ``n x 3 x h x w`` in [0, 1].

    Raises ``CheckpointError`` unless both are mode 3 with small residual encoders of one width, and the new one
    has as many decoder layers, none wider, and no fewer blocks.
    """
    _check(trained.spec, spec)
    network = build(spec)
    assert isinstance(network, Diinn)
    state, old = network.state_dict(), trained.state_dict()
    for key in state:
        if key.startswith("encoder."):
            state[key] = old.get(key, torch.zeros_like(state[key]) if ".conv2." in key else state[key])
    state |= narrowed(old, kept_units(trained, spec.decoder.widths, pictures), trained.spec.decoder.widths)
    network.load_state_dict(state)
    return network


def kept_units(trained: Diinn, widths: tuple[int, ...], pictures: Tensor) -> list[Tensor]:
    """For each layer the units to keep, in order: by their size on ``pictures`` times the weights that read them."""
    with torch.no_grad():
        outputs = synthesis_outputs(trained.decoder, content_samples(trained, pictures), places())
    ranks = [q.square().mean(0).sqrt() * reach(trained.decoder, index) for index, q in enumerate(outputs)]
    return [
        rank.argsort(descending=True)[:width].sort().values for rank, width in zip(ranks, widths, strict=True)
    ]


def content_samples(trained: Diinn, pictures: Tensor) -> Tensor:
    """Modulation maps at random pixels, ``SAMPLES x sum(D)``."""
    maps = content_maps(trained.decoder, trained.encode(pictures)).permute(0, 2, 3, 1).flatten(0, 2)
    return maps[torch.randint(len(maps), (SAMPLES,))]


def places() -> Tensor:
    """Offsets and cell ratios at random, ``SAMPLES x 3``."""
    low, high = RATIOS
    return torch.cat((torch.rand(SAMPLES, 2) * 2 - 1, low + (high - low) * torch.rand(SAMPLES, 1)), 1)


def reach(decoder: Decoder, index: int) -> Tensor:
    """The size of all weights that read each unit of layer ``index``."""
    width, state = decoder.spec.widths[index], decoder.state_dict()
    last = index + 1 == len(decoder.spec.widths)
    readers = ["last_layer"] if last else [f"K.{index + 1}.0", f"Q.{index + 1}.0"]
    weights = [state[f"{name}.weight"][:, :width, 0, 0].square().sum(0) for name in readers]
    return torch.stack(weights).sum(0).sqrt()


def narrowed(state: dict[str, Tensor], kept: list[Tensor], widths: tuple[int, ...]) -> dict[str, Tensor]:
    """The decoder's tensors with the ``kept`` units alone; ``widths`` are those before."""
    tensors = {"decoder.last_layer.weight": state["decoder.last_layer.weight"][:, kept[-1]]}
    tensors["decoder.last_layer.bias"] = state["decoder.last_layer.bias"]
    for index, units in enumerate(kept):
        for branch in "KQ":
            name = f"decoder.{branch}.{index}.0"
            weight = state[f"{name}.weight"][units]
            if index:
                before = widths[index - 1]
                weight = torch.cat((weight[:, :before][:, kept[index - 1]], weight[:, before:]), 1)
            tensors |= {f"{name}.weight": weight, f"{name}.bias": state[f"{name}.bias"][units]}
    return tensors


def _check(old: NetworkSpec, new: NetworkSpec) -> None:
    alike = all(
        spec.decoder.mode == 3 and not spec.decoder.init_q and spec.encoder.kind == "residual"
        for spec in (old, new)
    )
    layers = len(old.decoder.widths) == len(new.decoder.widths)
    narrower = layers and all(a >= b for a, b in zip(old.decoder.widths, new.decoder.widths, strict=True))
    grown = old.encoder.channels == new.encoder.channels and old.encoder.blocks <= new.encoder.blocks
    if not (alike and narrower and grown):
        raise CheckpointError(
            "expected two of mode 3 with residual encoders of one width, the new with no fewer blocks and as many "
            f"decoder layers, none wider; found {old} and {new}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trained", type=Path)
    parser.add_argument("spec", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    try:
        spec, found = load_toml(options.spec, ModelSpec).diinn(), load_checkpoint(options.trained)
        trained = build(found.spec)
        assert isinstance(trained, Diinn)
        trained.load_state_dict(found.tensors)
        pictures = torch.from_numpy(packed.load(options.pictures).train[:PICTURES, :SIDE, :SIDE])
        network = reform(trained, spec, pictures.permute(0, 3, 1, 2).float() / 255)
        save_weights(spec, network.state_dict(), options.output)
    except EdgeSRError as error:
        sys.exit(f"reform: {error}")


if __name__ == "__main__":
    main()
