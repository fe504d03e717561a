"""Every graph of a bundle, built by TensorRT for RTX for one capability or for all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sr.bundle import Bundle
from edge_sr.engines.build.builder import Built, build
from edge_sr.engines.build.request import BuildRequest, find_workplace
from edge_sr.engines.interface.loader import RTX_COMPUTE_CAPABILITIES
from edge_sr.engines.store.store import EngineStore
from edge_sr.engines.target import load_target

PORTABLE = load_target("rtx-portable")
TARGETS = {
    **{text: replace(PORTABLE, compute_capabilities=(text,)) for text in RTX_COMPUTE_CAPABILITIES},
    "portable": PORTABLE,
}


def build_all(bundle: Bundle, capability: str, folder: Path, depth: int = 10, **sizes: Any) -> list[Built]:
    cache, built = EngineStore(folder), []
    for precision in bundle.precisions:
        request = BuildRequest(bundle, TARGETS[capability], precision, depth=depth, **sizes)
        built += build(request, find_workplace(request, ""), cache, len)
    return built
