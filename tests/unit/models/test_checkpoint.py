"""Checkpoints of every layout come in; broken ones are refused by name."""

from __future__ import annotations

import argparse
import dataclasses
import json
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.checkpoints import (
    EDSR_BASELINE,
    NARROW,
    PAPER_WIDTHS,
    RDN_B,
    all_modes,
    lightning_file,
    narrow_networks,
    random_network,
)

from edge_sr.errors import CheckpointError, InputNotFoundError
from edge_sr.files.config import to_mapping
from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.spec import DecoderSpec


@pytest.mark.parametrize(("mode", "init_q"), all_modes())
def test_the_authors_layout_in_every_mode(mode: int, init_q: bool, tmp_path: Path) -> None:
    network = random_network(NARROW["rdn"], DecoderSpec(mode, init_q, (12, 20, 16)))
    loaded = load_checkpoint(lightning_file(network, tmp_path / "last.ckpt"))
    assert loaded.spec.decoder == network.spec.decoder
    assert loaded.spec.encoder == network.spec.encoder
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded.tensors[key], tensor), key


def test_the_papers_network_at_full_size(tmp_path: Path) -> None:
    network = random_network(RDN_B, DecoderSpec(3, False, PAPER_WIDTHS))
    path = lightning_file(network, tmp_path / "diinn.ckpt")
    assert path.stat().st_size > 250_000_000
    loaded = load_checkpoint(path)
    assert loaded.spec.parameters == 21_973_952 + 986_627
    assert sum(t.numel() for k, t in loaded.tensors.items() if k.startswith("decoder.")) == 986_627
    assert loaded.spec.encoder == RDN_B


def test_edsr_baseline(tmp_path: Path) -> None:
    network = random_network(EDSR_BASELINE, DecoderSpec(3, False, (64, 64)))
    loaded = load_checkpoint(lightning_file(network, tmp_path / "edsr.ckpt"))
    assert loaded.spec.encoder == EDSR_BASELINE


def test_a_bare_state_dict_says_what_it_assumed(tmp_path: Path) -> None:
    network = narrow_networks()["mode3"]
    torch.save(network.state_dict(), tmp_path / "bare.pth")
    loaded = load_checkpoint(tmp_path / "bare.pth")
    assert loaded.spec.decoder.mode == 3
    assert "modes 2 or 3" in loaded.notes[0]


def test_safetensors_with_its_description(tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    network = narrow_networks()["base"]
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    (tmp_path / "net.json").write_text(json.dumps(to_mapping(network.spec)))
    loaded = load_checkpoint(tmp_path / "net.safetensors")
    assert loaded.spec.decoder.bilinear_base
    assert loaded.spec.name == network.spec.name


def test_hyperparameters_in_a_namespace(tmp_path: Path) -> None:
    network = narrow_networks()["mode1"]
    options = argparse.Namespace(arch="diinn", mode=1, init_q=False)
    assert (
        load_checkpoint(
            lightning_file(network, tmp_path / "n.ckpt", hyper_parameters=options)
        ).spec.decoder.mode
        == 1
    )


def broken(tmp_path: Path, change: object) -> Path:
    network = narrow_networks()["mode3"]
    state = {f"net.{key}": tensor for key, tensor in network.state_dict().items()}
    change(state)  # type: ignore[operator]
    return lightning_file(network, tmp_path / "broken.ckpt", state_dict=state)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda s: s.pop("net.decoder.K.1.0.bias"),
            "decoder.K.1.0.bias is missing; expected one of shape 20",
        ),
        (lambda s: s.pop("net.encoder.RDBs.1.LFF.weight"), "encoder.RDBs.1.LFF.weight is missing"),
        (lambda s: s.update({"net.decoder.extra": torch.zeros(3)}), "decoder.extra (3) is no part"),
        (
            lambda s: s.update({"net.decoder.Q.1.0.weight": torch.zeros(20, 5, 1, 1)}),
            "decoder.Q.1.0.weight: expected shape 20x12x1x1, found 20x5x1x1",
        ),
        (
            lambda s: s.update({"net.decoder.K.1.0.weight": torch.zeros(20, 33, 1, 1)}),
            "expected 12 inputs (mode 1)",
        ),
        (lambda s: s.update({"net.sub": torch.full((1, 3, 1, 1), 0.4)}), "buffer sub: expected 0.5"),
        (lambda s: s["net.decoder.last_layer.bias"].fill_(float("nan")), "not finite"),
        (lambda s: s.clear(), "holds no tensors"),
        (lambda s: s.update({"net.sub": torch.zeros(1, 3, 1, 1).to_sparse()}), "sub: expected plain numbers"),
        (lambda s: s.update({"net.sub": torch.zeros(1, 3, device="meta")}), "sub: expected plain numbers"),
        (lambda s: s.update({"net.sub": torch.zeros(3, dtype=torch.cfloat)}), "sub: expected plain numbers"),
        (
            lambda s: s.update({"net.sub": torch.quantize_per_tensor(torch.zeros(3), 1.0, 0, torch.qint8)}),
            "sub: expected plain numbers",
        ),
    ],
)
def test_a_wrong_tensor_is_named(change: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=__import__("re").escape(says)):
        load_checkpoint(broken(tmp_path, change))


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"arch": "diinn", "mode": 1, "init_q": False}, "mode 1 is stated"),
        ({"arch": "diinn", "mode": 3, "init_q": True}, "init_q is stated as True"),
        ({"mode": "three"}, "expected mode 1 to 4"),
        ({"mode": [3]}, "expected mode 1 to 4"),
        ({"mode": 3.5}, "expected mode 1 to 4"),
        ({"mode": 3, "init_q": "no"}, "found 3 and 'no'"),
        ({"arch": "liif", "mode": 3}, "states arch liif, its tensors are diinn's"),
    ],
)
def test_a_contradicting_statement_is_refused(stated: dict[str, object], says: str, tmp_path: Path) -> None:
    path = lightning_file(narrow_networks()["mode3"], tmp_path / "c.ckpt", hyper_parameters=stated)
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(path)


def test_a_contradicting_description_is_refused(tmp_path: Path) -> None:
    network = narrow_networks()["mode3"]
    path = lightning_file(network, tmp_path / "d.ckpt")
    other = dataclasses.replace(network.spec, encoder=NARROW["residual"])
    (tmp_path / "d.json").write_text(json.dumps(to_mapping(other)))
    with pytest.raises(CheckpointError, match="the tensors make"):
        load_checkpoint(path)


class Trap:
    """Unpickling an instance would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "executed"))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "callback": Trap(tmp_path / "trace")}, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match="more than plain tensors"):
        load_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_files_that_are_no_checkpoints(content: bytes, tmp_path: Path) -> None:
    for name in ("x.ckpt", "x.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError):
            load_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02h\x07.",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"\x80\x02}u.",
        b"\x80\x02K\x01b.",
    ],
    ids=["without arguments", "what was not kept", "no text", "no mark", "no object"],
)
def test_pickles_that_say_nothing_are_no_checkpoints(tmp_path: Path, pickled: bytes) -> None:
    path = tmp_path / "x.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("data.pkl", pickled), ("byteorder", b"little"), ("version", b"3")):
            archive.writestr(f"archive/{name}", content)
    with pytest.raises(CheckpointError, match=r"x\.ckpt"):
        load_checkpoint(path)


def test_what_a_file_is_instead_is_told(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a picture")
    torch.save({"weight": torch.zeros(999)}, tmp_path / "whole.ckpt")
    (tmp_path / "torn.ckpt").write_bytes((tmp_path / "whole.ckpt").read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"photo\.jpg is not a PyTorch checkpoint, .*\.onnx"):
        load_checkpoint(tmp_path / "photo.jpg")
    with pytest.raises(CheckpointError, match=r"torn\.ckpt is cut off"):
        load_checkpoint(tmp_path / "torn.ckpt")
    with pytest.raises(CheckpointError, match="found the folder"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_an_old_pytorch_is_read(tmp_path: Path) -> None:
    lightning_file(narrow_networks()["mode3"], tmp_path / "new.ckpt")
    content = torch.load(tmp_path / "new.ckpt", weights_only=True)
    torch.save(content, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    assert load_checkpoint(tmp_path / "old.ckpt").tensors


def test_a_missing_file() -> None:
    with pytest.raises(InputNotFoundError):
        load_checkpoint(Path("nowhere.ckpt"))


def test_a_tiny_file_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    state = {"decoder.K.0.0.weight": torch.zeros(1).expand(100_000, 100_000)}
    torch.save(state, tmp_path / "expand.pt")
    with pytest.raises(CheckpointError, match="of which the file holds 1"):
        load_checkpoint(tmp_path / "expand.pt")
