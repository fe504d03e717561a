"""Checkpoints of the field's other networks, as people have them: random weights under each layout's own keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge_sr.models.families import build_network
from edge_sr.spec import PublishedSpec

State = Mapping[str, Tensor]
MEAN = (0.4488, 0.4371, 0.4040)


@dataclasses.dataclass(frozen=True)
class Layout:
    """``full`` and ``narrow`` options of a family; ``saved`` is what a file of the layout holds.

    ``level``: the bias of the last convolution where that alone sets how bright random pictures are. ``unsaid``:
    an option that no file of the layout says. ``deep``: layers without skips, through which PyTorch's own random
    weights let nothing pass.
    """

    network: str
    full: dict[str, Any]
    narrow: dict[str, Any]
    saved: Callable[[State], Mapping[str, Any]] = dict
    level: float | None = None
    unsaid: str = ""
    deep: bool = False

    def spec(self, size: str) -> PublishedSpec:
        return PublishedSpec("made", self.network, getattr(self, size))

    def stated(self, size: str) -> PublishedSpec | None:
        """What has to be stated beside the file."""
        options = {key: value for key, value in getattr(self, size).items() if key == self.unsaid}
        return PublishedSpec("made", self.network, options) if options else None

    def random(self, size: str) -> nn.Module:
        torch.manual_seed(7)
        network = build_network(self.spec(size)).eval()
        last = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))][-1]
        if self.level is not None and last.bias is not None:
            nn.init.constant_(last.bias, self.level)
        if self.deep:
            _enliven(network, last)
        return network

    def write(self, size: str, path: Path) -> Path:
        torch.save(self.saved(self.random(size).state_dict()), path)
        return path


def _enliven(network: nn.Module, last: nn.Module) -> None:
    """Weights that keep the size of what passes, and a last layer that changes pictures by a tenth or so."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer is not last:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    with torch.no_grad():
        last.get_parameter("weight").mul_(0.3)


def _edsr_pytorch(state: State) -> Mapping[str, Any]:
    """With two shifts by the mean, 1 x 1 convolutions that are not trained."""
    shifts = {}
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        shifts[f"{name}.weight"] = torch.eye(3).reshape(3, 3, 1, 1)
        shifts[f"{name}.bias"] = sign * 255.0 * torch.tensor(MEAN)
    return _under_model({**shifts, **state})


def _under_model(state: State) -> Mapping[str, Any]:
    return {f"model.{key}": tensor for key, tensor in state.items()}


def _basicsr_edsr(state: State) -> Mapping[str, Any]:
    """Two state dicts, the last weights, here no good, and their average."""
    last = max(int(key.split(".")[1]) for key in state if key.startswith("body."))
    places = {"head.0": "conv_first", f"body.{last}": "conv_after_body", "tail.1": "conv_last"}
    places |= {f"tail.0.{i}": f"upsample.{i}" for i in (0, 2)}
    for block in range(last):
        places |= {f"body.{block}.body.{i}": f"body.{block}.conv{1 + i // 2}" for i in (0, 2)}
    renamed = {f"{places[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": state[key] for key in state}
    return {"params": {key: tensor * 0 for key, tensor in renamed.items()}, "params_ema": renamed}


def _parallel(state: State) -> Mapping[str, Any]:
    """As a network is saved that was trained on several GPUs."""
    return {f"module.{key}": tensor for key, tensor in state.items()}


def _wrapped(state: State) -> Mapping[str, Any]:
    return {"epoch": 50, "model": dict(state)}


LAYOUTS: dict[str, Layout] = {
    "srcnn": Layout("srcnn", {}, {"widths": (12, 8)}, level=0.5),
    "vdsr": Layout("vdsr", {}, {"layers": 4, "width": 8}, _wrapped, deep=True),
    "drcn": Layout("drcn", {}, {"recursions": 3, "width": 8}, deep=True),
    "fsrcnn": Layout(
        "fsrcnn", {"scale": 2}, {"scale": 2, "d": 12, "s": 6, "m": 2}, level=0.5, unsaid="scale"
    ),
    "espcn": Layout("espcn", {"scale": 2}, {"scale": 3, "widths": (12, 8)}, level=0.5),
    "edsr": Layout(
        "edsr",
        {"scale": 2, "blocks": 32, "channels": 256, "res_scale": 0.1},
        {"scale": 3, "blocks": 2, "channels": 8},
        _edsr_pytorch,
    ),
    "edsr-basicsr": Layout("edsr", {"scale": 4}, {"scale": 4, "blocks": 2, "channels": 8}, _basicsr_edsr),
    "rdn": Layout(
        "rdn",
        {"scale": 2},
        {"scale": 4, "channels": 8, "blocks": 2, "layers": 2, "growth": 4},
        _under_model,
        level=127.5,
    ),
    "dbpn": Layout(
        "dbpn", {"scale": 4}, {"scale": 2, "stages": 3, "features": 12, "channels": 8}, _parallel, level=0.5
    ),
}
