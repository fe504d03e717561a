"""The first question to a node: which Python, and which Edge SR, if any.

``identity`` travels to the node as code, since a node without Edge SR, or with another one, cannot import it: nothing
but the standard library is known here.
"""

from __future__ import annotations

from typing import Any


def identity() -> dict[str, Any]:
    """``version`` and ``code``, a digest of the package's Python files, of the node that runs it; else ``missing``."""
    import hashlib
    import importlib.metadata
    import importlib.util
    import os
    import re
    import socket
    from pathlib import Path

    found: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid()}
    spec = importlib.util.find_spec("edge_sr")
    if spec is None or spec.origin is None:
        return {**found, "missing": "edge-sr is not installed there"}
    folder, digest = Path(spec.origin).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    stated = re.search(r'^__version__ = "(.+)"$', (folder / "version.py").read_text(), re.MULTILINE)
    version = stated[1] if stated else "unknown"
    packages = {}
    for name in ("av", "numpy", "onnxruntime", "openvino"):
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = "absent"
    return {**found, "version": version, "code": digest.hexdigest()[:16], "packages": packages}
