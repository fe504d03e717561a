"""TensorRT's timing cache, one for each GPU and release: a second build there times fewer kernels."""

from __future__ import annotations

from pathlib import Path

from edge_sr.engines.store.identity import EngineKey, digest
from edge_sr.engines.store.sealed import read_sealed, write_sealed


class TimingCache:
    """The file for the key's GPU, TensorRT flavour and version."""

    def __init__(self, folder: Path, key: EngineKey) -> None:
        device = [key.gpu, key.multiprocessors, key.compute_capabilities]
        self._owner = digest([*device, key.flavour, key.version])
        self.path = folder / f"{self._owner[:20]}.timing"

    def load(self) -> bytes:
        """What was kept, or nothing."""
        return read_sealed(self.path, self._owner)

    def save(self, data: bytes | None) -> None:
        if data:
            write_sealed(self.path, data, self._owner)
