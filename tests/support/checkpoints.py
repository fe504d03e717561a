"""Random networks, and checkpoints of them in the layouts that people have."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch

from edge_sr.models.implicit.diinn import Diinn
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec

RDN_B = EncoderSpec("rdn", channels=64, blocks=16, layers=8, growth=64)
EDSR_BASELINE = EncoderSpec("edsr", channels=64, blocks=16)
NARROW = {
    "rdn": EncoderSpec("rdn", channels=8, blocks=2, layers=3, growth=4),
    "edsr": EncoderSpec("edsr", channels=8, blocks=2),
    "residual": EncoderSpec("residual", channels=8, blocks=2),
}
PAPER_WIDTHS = (256, 256, 256, 256)


def random_network(encoder: EncoderSpec, decoder: DecoderSpec, name: str = "random") -> Diinn:
    """A network with PyTorch's initial weights from a fixed seed."""
    torch.manual_seed(7)
    return Diinn(NetworkSpec(name, encoder, decoder)).eval()


def all_modes() -> list[tuple[int, bool]]:
    return list(itertools.product((1, 2, 3, 4), (False, True)))


def narrow_networks() -> dict[str, Diinn]:
    """Every mode with and without ``init_q`` over a narrow RDN, other encoders, and the bilinear base."""
    networks = {
        f"mode{mode}{'-init_q' if init_q else ''}": random_network(
            NARROW["rdn"], DecoderSpec(mode, init_q, (12, 20, 16))
        )
        for mode, init_q in all_modes()
    }
    networks["edsr"] = random_network(NARROW["edsr"], DecoderSpec(3, False, (16, 16)))
    networks["base"] = random_network(NARROW["residual"], DecoderSpec(3, False, (16, 12, 8), True))
    networks["base-mode4"] = random_network(NARROW["residual"], DecoderSpec(4, False, (16, 8), True))
    networks["base-init_q"] = random_network(NARROW["residual"], DecoderSpec(2, True, (16, 8), True))
    networks["one-layer"] = random_network(NARROW["residual"], DecoderSpec(3, False, (16,)))
    return networks


def lightning_file(network: Diinn, path: Path, **changes: Any) -> Path:
    """The authors' layout: keys under ``net.``, hyperparameters, buffers, and an optimiser's state beside them."""
    state = {f"net.{key}": tensor for key, tensor in network.state_dict().items()}
    state["net.sub"] = state["net.div"] = torch.full((1, 3, 1, 1), 0.5)
    decoder = network.spec.decoder
    content = {
        "epoch": 3,
        "global_step": 400,
        "pytorch-lightning_version": "1.6.0",
        "state_dict": state,
        "hyper_parameters": {"arch": "diinn", "mode": decoder.mode, "init_q": decoder.init_q},
        "optimizer_states": [
            {
                "state": {
                    i: {"exp_avg": t.clone(), "exp_avg_sq": t.clone()} for i, t in enumerate(state.values())
                }
            }
        ],
    }
    content.update(changes)
    torch.save(content, path)
    return path
