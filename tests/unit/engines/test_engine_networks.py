"""TensorRT for RTX builds every network that can be exported, for every capability that it knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.rtx_builds import TARGETS, build_all

from edge_sr.bundle import shipped_bundles

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'edge-sr[tensorrt-rtx]'")

# The names in tests/checkpoints.py, spelled out so that collecting these tests does not import torch.
NETWORKS = [
    *(f"mode{mode}{query}" for mode in (1, 2, 3, 4) for query in ("", "-init_q")),
    *("edsr", "base", "base-mode4", "base-init_q", "one-layer"),
]


@pytest.mark.parametrize("capability", ["7.5", "portable"])
@pytest.mark.parametrize("name", [bundle.name for bundle in shipped_bundles()])
def test_shipped_bundles_build(name: str, capability: str, tmp_path: Path) -> None:
    bundle = next(bundle for bundle in shipped_bundles() if bundle.name == name)
    built = build_all(bundle, capability, tmp_path / "cache", max_size=(128, 96))
    assert {item.engine.manifest.key.part for item in built} == {"encoder", "decoder"}


@pytest.mark.full
@pytest.mark.parametrize("sizes", [{"sizes": ((640, 360), (1280, 720))}, {"max_size": (1920, 1080)}])
@pytest.mark.parametrize("capability", list(TARGETS))
@pytest.mark.parametrize("name", [bundle.name for bundle in shipped_bundles()])
def test_shipped_bundles_build_at_full_size(
    name: str, capability: str, sizes: dict[str, Any], tmp_path: Path
) -> None:
    bundle = next(bundle for bundle in shipped_bundles() if bundle.name == name)
    assert build_all(bundle, capability, tmp_path / "cache", **sizes)


@pytest.mark.torch
@pytest.mark.parametrize("capability", ["8.9", *(pytest.param(c, marks=pytest.mark.full) for c in TARGETS)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in NETWORKS]
)
def test_every_mode_builds(
    narrow_bundles: Callable[[str], Any], name: str, capability: str, tmp_path: Path
) -> None:
    _, bundle = narrow_bundles(name)
    assert build_all(bundle, capability, tmp_path / "cache", depth=8, sizes=((64, 48),))
