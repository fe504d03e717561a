"""Descriptions are read strictly: unknown, missing and mistyped keys are errors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_sr.errors import ConfigError, InputNotFoundError
from edge_sr.files.config import from_mapping, load_toml, to_mapping
from edge_sr.spec import DecoderSpec, EncoderSpec, ModelSpec, NetworkSpec, PublishedSpec

SPEC = """
name = "mine"
weights = "mine.safetensors"
[encoder]
kind = "residual"
channels = 32
blocks = 6
[decoder]
mode = 3
init_q = false
widths = [64, 64, 64]
bilinear_base = true
"""


@dataclasses.dataclass(frozen=True)
class Holder:
    network: NetworkSpec | PublishedSpec


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(text)
    return path


def test_a_model_spec(tmp_path: Path) -> None:
    network = load_toml(written(tmp_path, SPEC), ModelSpec).network()
    assert isinstance(network, NetworkSpec)
    assert network.map_channels == 192
    assert network.decoder.widths == (64, 64, 64)


PUBLISHED = """
name = "mine"
published = "fsrcnn"
options = { scale = 3 }
"""


def test_a_model_spec_of_another_network(tmp_path: Path) -> None:
    network = load_toml(written(tmp_path, PUBLISHED), ModelSpec).network()
    assert network == PublishedSpec("mine", "fsrcnn", {"scale": 3})
    assert from_mapping(Holder, {"network": to_mapping(network)}, "here").network == network


@pytest.mark.parametrize(
    "text", [SPEC.replace('weights = "mine.safetensors"', 'published = "fsrcnn"'), 'name = "mine"']
)
def test_a_model_spec_names_one_network(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="give encoder and decoder"):
        load_toml(written(tmp_path, text), ModelSpec)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("channels = 32", "chanels = 32", "unknown key 'chanels'"),
        ("channels = 32", "", "missing key 'channels'"),
        ("channels = 32", 'channels = "32"', "channels must be int"),
        ("channels = 32", "channels = true", "channels must be int"),
        ("channels = 32", "channels = 0", "between 1 and"),
        ("mode = 3", "mode = 5", "mode must be 1, 2, 3 or 4"),
        ("widths = [64, 64, 64]", "widths = []", "at least one layer"),
        ("widths = [64, 64, 64]", "widths = 64", "must be a list"),
        ('kind = "residual"', 'kind = "unet"', "must be one of residual, edsr, rdn"),
        ("blocks = 6", "blocks = 6\nlayers = 3", "belong to rdn only"),
        ("[encoder]", "[encoder", "not valid TOML"),
    ],
)
def test_a_wrong_spec_is_refused_by_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_toml(written(tmp_path, SPEC.replace(old, new)), ModelSpec)


def test_a_missing_file() -> None:
    with pytest.raises(InputNotFoundError):
        load_toml(Path("nowhere.toml"), ModelSpec)


def test_a_description_survives_the_round_trip() -> None:
    spec = NetworkSpec("n", EncoderSpec("rdn", 8, 2, 3, 4), DecoderSpec(4, True, (12, 20)))
    assert from_mapping(NetworkSpec, to_mapping(spec), "here") == spec
