"""What the plugins read of a bundle, held to what the Python package reads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.changed_encoders import CHANGES, Change, Changed

from edge_sr.backends.native.residual import read_encoder
from edge_sr.bundle import Bundle, shipped_bundles

onnx = pytest.importorskip("onnx")

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "integrations" / "frames" / "src"
PARTS = ("residual", "residual_form", "onnx_graph", "bytes", "sha256")
# One worker compiles the program and runs all of its tests.
pytestmark = pytest.mark.xdist_group("frames")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("not installed: c++")
    made = tmp_path_factory.mktemp("frames") / "read_encoders"
    sources = [Path(__file__).with_name("read_encoders.cpp"), *(SOURCES / f"{part}.cpp" for part in PARTS)]
    folders = [f"-I{SOURCES}", f"-I{ROOT / 'native' / 'include'}"]
    subprocess.run([compiler, "-std=c++17", "-O1", *folders, *map(str, sources), "-o", str(made)], check=True)
    return made


def taken(program: Path, blocks: int, *files: Path) -> list[str]:
    return subprocess.run(
        [str(program), str(blocks), *map(str, files)], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_encoders_are_taken_where_the_package_takes_them(program: Path) -> None:
    for bundle in shipped_bundles():
        files = [bundle.path / one.file for one in bundle.description.graphs if one.role == "encoder"]
        blocks = bundle.network.encoder.blocks
        found = [read_encoder(file, blocks) for file in files]
        assert taken(program, blocks, *files) == [
            "refused" if one is None else f"{one.maps} maps" for one in found
        ]
        assert any(found)


@pytest.mark.parametrize(("scheme", "change"), CHANGES)
def test_a_graph_of_another_form_is_refused(
    program: Path, nano: Bundle, tmp_path: Path, scheme: str, change: Change
) -> None:
    graph = Changed(nano.graph("encoder", scheme, "uint8"))  # type: ignore[arg-type]
    change(graph)
    onnx.save(graph.model, tmp_path / "encoder.onnx")
    assert taken(program, nano.network.encoder.blocks, tmp_path / "encoder.onnx") == ["refused"]
