"""Checkpoints of the field's other networks come in under the keys that people have them by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from support.networks import LAYOUTS, MEAN

from edge_sr.errors import CheckpointError
from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.spec import PublishedSpec

UNIT = torch.eye(3).reshape(3, 3, 1, 1)


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_every_layout(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    loaded = load_checkpoint(layout.write("narrow", tmp_path / "net.pth"), layout.stated("narrow"))
    assert isinstance(loaded.spec, PublishedSpec)
    assert loaded.spec.network == layout.network
    assert layout.narrow.items() <= loaded.spec.options.items()
    made = loaded.network().state_dict()
    for key, tensor in layout.random("narrow").state_dict().items():
        assert torch.equal(made[key], tensor), key


def test_parameters_of_the_published_networks() -> None:
    counts = {name: sum(p.numel() for p in LAYOUTS[name].random("full").parameters()) for name in LAYOUTS}
    assert counts == {
        "srcnn": 8_129,
        "vdsr": 664_704,
        "drcn": 1_775_121,
        "fsrcnn": 12_809,
        "espcn": 21_284,
        "edsr": 40_729_603,
        "edsr-basicsr": 1_517_571,
        "rdn": 22_123_395,
        "dbpn": 10_426_358,
    }


def test_what_shapes_cannot_say_must_be_stated(tmp_path: Path) -> None:
    path = LAYOUTS["fsrcnn"].write("narrow", tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="scale cannot be told from fsrcnn's tensors"):
        load_checkpoint(path)


def test_what_is_assumed_is_said_and_may_be_stated(tmp_path: Path) -> None:
    path = LAYOUTS["rdn"].write("narrow", tmp_path / "net.pth")
    assert load_checkpoint(path).notes == ("range 255.0 is assumed",)
    stated = load_checkpoint(path, PublishedSpec("net", "rdn", {"range": 1.0}))
    assert stated.notes == ()
    assert isinstance(stated.spec, PublishedSpec)
    assert stated.spec.options["range"] == 1.0
    with pytest.raises(CheckpointError, match="the tensors make scale 4, the description states 2"):
        load_checkpoint(path, PublishedSpec("net", "rdn", {"scale": 2}))
    with pytest.raises(CheckpointError, match="the tensors are rdn's, the description states edsr"):
        load_checkpoint(path, PublishedSpec("net", "edsr"))


def test_mean_and_range_are_read_from_the_shifts(tmp_path: Path) -> None:
    state = dict(torch.load(LAYOUTS["edsr"].write("narrow", tmp_path / "net.pth")))
    loaded = load_checkpoint(tmp_path / "net.pth")
    assert isinstance(loaded.spec, PublishedSpec)
    assert (loaded.spec.options["range"], loaded.spec.options["mean"]) == (255.0, MEAN)
    assert loaded.notes == ("res_scale 1.0 is assumed",)
    state["model.sub_mean.weight"] = 2 * UNIT
    torch.save(state, tmp_path / "scaled.pth")
    with pytest.raises(CheckpointError, match="must shift by one mean"):
        load_checkpoint(tmp_path / "scaled.pth")


def _without(state: dict[str, Any]) -> None:
    del state["module.down1.down_conv2.deconv.weight"]


def _with_more(state: dict[str, Any]) -> None:
    state["module.feat2.conv.weight"] = torch.zeros(1)


def _misshapen(state: dict[str, Any]) -> None:
    state["module.up2.up_conv3.act.weight"] = torch.zeros(8)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_without, "down1.down_conv2.deconv.weight is missing; expected one of shape 8x8x6x6"),
        (_with_more, r"feat2.conv.weight \(1\) is no part of dbpn"),
        (_misshapen, "up2.up_conv3.act.weight: expected shape 1, found 8"),
    ],
    ids=["missing", "extra", "mis-shaped"],
)
def test_the_tensor_that_does_not_fit_is_named(spoil: Any, said: str, tmp_path: Path) -> None:
    state = dict(torch.load(LAYOUTS["dbpn"].write("narrow", tmp_path / "net.pth")))
    spoil(state)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(tmp_path / "net.pth")


def test_a_pickled_module_is_never_run(tmp_path: Path) -> None:
    torch.save({"epoch": 50, "model": LAYOUTS["vdsr"].random("narrow")}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"whole module was pickled, save its state_dict\(\)"):
        load_checkpoint(tmp_path / "net.pth")
