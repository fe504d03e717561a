"""TensorRT's timing cache, one for each GPU and release: a second build there times fewer kernels."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge_sr.engine_cache.folder import write_whole
from edge_sr.engine_cache.identity import EngineKey, digest


class TimingCache:
    """The file for the key's GPU, TensorRT flavour and version; its SHA-256 goes before its bytes."""

    def __init__(self, folder: Path, key: EngineKey) -> None:
        belongs_to = digest([key.gpu, key.compute_capabilities, key.flavour, key.version])
        self.path = folder / f"{belongs_to[:20]}.timing"

    def load(self) -> bytes:
        """What was kept, or nothing when there is no file or it is damaged: timings can be taken again."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return b""
        stated, data = content[:32], content[32:]
        return data if hashlib.sha256(data).digest() == stated else b""

    def save(self, data: bytes | None) -> None:
        if data:
            write_whole(self.path, hashlib.sha256(data).digest() + data)
