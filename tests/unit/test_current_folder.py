"""What lies in the current folder is pictures, never code: no process that a command starts imports from there."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# What the children import: of numpy, and of the standard library before they know this process's path.
TRAPS = ("numpy.py", "onnx.py", "socket.py", "pickle.py")

PROBE = """
from pathlib import Path
from edge_sr.errors import CheckpointError
from edge_sr.export.external.probe import probe
try:
    probe(Path("absent.onnx"))
except CheckpointError as error:
    print(error)
"""
PEAK = """
from edge_sr.benchmark.peak import measure
print(measure(1, 0.01).numpy > 0)
"""
PICTURES = """
from edge_sr.training.data.processes import picture_processes
if __name__ == "__main__":
    with picture_processes() as pool:
        print(pool.submit(abs, -3).result())
"""
CLUSTER = """
import sys
from edge_sr.farm.nodes.connection import ClusterAddress, joined
with joined(ClusterAddress.parse("local:1")) as cluster:
    print(cluster.ray.get(cluster.ray.remote(lambda: sys.path).remote()))
"""
needs_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="onnx is not installed")
needs_ray = pytest.mark.skipif(
    not sys.platform.startswith("linux") or find_spec("ray") is None,
    reason="Ray's clusters are tried on Linux",
)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(PROBE, id="export", marks=needs_onnx),
        pytest.param(PEAK, id="bench"),
        pytest.param(
            PICTURES,
            id="train",
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no safe path"),
        ),
        pytest.param(CLUSTER, id="cluster", marks=needs_ray),
    ],
)
def test_no_child_imports_from_the_current_folder(tmp_path: Path, code: str) -> None:
    folder, script = tmp_path / "pictures", tmp_path / "script" / "run.py"
    folder.mkdir()
    script.parent.mkdir()
    for name in TRAPS:
        (folder / name).write_text("open('imported', 'a').write(__name__)\nraise SystemExit(1)\n")
    script.write_text(code)
    done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=False)
    assert not (folder / "imported").exists()
    assert done.returncode == 0, done.stderr
    assert done.stdout and str(folder) not in done.stdout
