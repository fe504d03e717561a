"""Bundles are found by name or folder, checked before use, and written whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_sr.bundle import Bundle, new_folder, open_bundle, shipped_bundles
from edge_sr.errors import BundleError, OptionError, OutputExistsError, OutputFolderError, UnknownNameError


@pytest.fixture
def copy(nano: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(nano.path, tmp_path / "copy"))


def test_shipped_bundles_are_sound_and_the_default_comes_first() -> None:
    bundles = shipped_bundles()
    assert bundles[0].name == "diinn-edge"
    assert "diinn-nano" in [bundle.name for bundle in bundles]
    for bundle in bundles:
        bundle.verify()
        assert {"fp32", "fp16"} <= set(bundle.precisions)


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(UnknownNameError, match="diinn-edge, diinn-edge-video, diinn-nano"):
        open_bundle("nosuch")


@pytest.mark.parametrize("name", [5, None, b"diinn-nano", [], 0.5])
def test_what_is_no_name_is_an_option_error(name: Any) -> None:
    with pytest.raises(OptionError, match="model's name"):
        open_bundle(name)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", ""])
def test_names_that_no_file_system_takes_are_unknown(name: str) -> None:
    with pytest.raises((UnknownNameError, BundleError)):
        open_bundle(name)


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no bundle\.json"):
        open_bundle(tmp_path)


def test_a_flipped_bit_is_found(copy: Path) -> None:
    graph = copy / "encoder.fp32.onnx"
    content = bytearray(graph.read_bytes())
    content[1000] ^= 1
    graph.write_bytes(content)
    with pytest.raises(BundleError, match=r"encoder\.fp32\.onnx is damaged"):
        open_bundle(copy).graph("encoder", "fp32")


def test_a_missing_graph_is_named(copy: Path) -> None:
    (copy / "decoder.npz").unlink()
    with pytest.raises(BundleError, match=r"decoder\.npz is missing"):
        open_bundle(copy).verify()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 99}, "schema 99"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"radius": "wide"}, "radius must be int"),
    ],
)
def test_an_unsound_description_is_refused(copy: Path, change: dict[str, object], says: str) -> None:
    path = copy / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BundleError, match=says):
        open_bundle(copy)


def test_a_graph_outside_the_folder_is_never_opened(copy: Path) -> None:
    path = copy / "bundle.json"
    table = json.loads(path.read_text())
    table["graphs"][0]["file"] = "../secret.onnx"
    path.write_text(json.dumps(table))
    with pytest.raises(BundleError, match="missing"):
        open_bundle(copy).graph("encoder", "fp32")


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "made") as draft:
        (draft / "half").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "made") as draft:
        (draft / "file").write_text("whole")
        assert not (tmp_path / "made").exists()
    assert (tmp_path / "made" / "file").read_text() == "whole"
    with pytest.raises(OutputExistsError), new_folder(tmp_path / "made"):
        pass
    with pytest.raises(OutputFolderError), new_folder(tmp_path / "nowhere" / "made"):
        pass
