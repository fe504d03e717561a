"""A cluster of unlike nodes, and one with less room than a piece takes: what they make equals what one process makes.

    python tests/campaigns/cluster_unlike.py

Beside two plain nodes, of one core and of two, stands one with another version of Edge SR, which is left out. Then
a film whose pieces are larger than Ray's object store goes through that store. Needs the extra ``farm``.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
from cluster import PRIORITY, digest, make_film, request_for

import edge_sr
from edge_sr.farm.films.maker import ClusterMakers
from edge_sr.farm.nodes.connection import ClusterAddress, joined
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale
from edge_sr.video.encode.workfolder import WorkFolder

# Of noise, which FFV1 hardly makes smaller: a piece is larger than the store.
NOISE_SIZE, NOISE_FRAMES, NOISE_PIECE = (1280, 720), 140, 70
STORE_BYTES = 80 << 20


class Told(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def started(place: Path) -> Any:
    """The cluster's head, which makes no pieces, and its two plain nodes."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    add(cluster, 1, place / "plain")
    add(cluster, 2, place / "plain")
    return cluster


def add(cluster: Any, cores: int, python_path: Path) -> None:
    """A node whose processes find modules in that folder first."""
    paths = {"PYTHONPATH": f"{python_path}:{Path(edge_sr.__file__).parents[1]}"}
    cluster.add_node(num_cpus=cores, object_store_memory=STORE_BYTES, env_vars=paths)


def with_another_version(place: Path) -> Path:
    source = Path(edge_sr.__file__).parent
    shutil.copytree(source, place / "older" / "edge_sr", ignore=shutil.ignore_patterns("__pycache__"))
    path = place / "older" / "edge_sr" / "version.py"
    path.write_text(path.read_text().replace('__version__ = "', '__version__ = "0.0.'))
    # Ray puts the driver's folder first, which is where the node would find edge_sr later.
    (place / "older" / "sitecustomize.py").write_text("import edge_sr")
    return path.parents[1]


def unlike_nodes(place: Path, cluster: Any, joint: Any) -> None:
    make_film(place / "film.mkv")
    upscale(request_for(place / "film.mkv", place / "alone.mkv", resume=False))
    add(cluster, 1, with_another_version(place))
    told = Told()
    request = request_for(place / "film.mkv", place / "many.mkv", resume=False)
    upscale(request, Controls(told, makers=ClusterMakers(joint)))
    left_out = any("left out" in line and "edge-sr 0.0." in line for line in told.lines)
    check("another version is named and left out", left_out)
    check("many.mkv equals one process's", digest(place / "many.mkv") == digest(place / "alone.mkv"))


def full_store(place: Path, joint: Any) -> None:
    """Nodes are told another token than they find, as where they share no folder: pieces pass through the store."""
    make_noise(place / "noise.mkv")
    request = dataclasses.replace(
        request_for(place / "noise.mkv", place / "large.mkv", resume=False),
        scale=Fraction(1),
        codec="ffv1",
        segment_frames=NOISE_PIECE,
    )
    told = WorkFolder.open_to_cluster
    with patch.object(WorkFolder, "open_to_cluster", lambda work: told(work)[::-1]):
        upscale(request, Controls(makers=ClusterMakers(joint)))
    size = (place / "large.mkv").stat().st_size * NOISE_PIECE // NOISE_FRAMES
    check(f"a piece of {size >> 20} MiB is larger than the store of {STORE_BYTES >> 20}", size > STORE_BYTES)
    upscale(dataclasses.replace(request, output=place / "alone-large.mkv"))
    check("large.mkv equals one process's", digest(place / "large.mkv") == digest(place / "alone-large.mkv"))


def make_noise(path: Path) -> None:
    dice = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *NOISE_SIZE, "yuv420p"
        for _ in range(NOISE_FRAMES):
            card = dice.integers(0, 256, (NOISE_SIZE[1], NOISE_SIZE[0], 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(card, format="rgb24")))
        container.mux(stream.encode(None))


def check(what: str, holds: bool) -> None:
    print(f"{'yes' if holds else 'NO '}  {what}", flush=True)
    if not holds:
        sys.exit(1)


def main() -> None:
    os.environ |= PRIORITY
    with tempfile.TemporaryDirectory(prefix="edge-sr-unlike-") as name:
        place = Path(name)
        cluster = started(place)
        try:
            with joined(ClusterAddress.parse(str(cluster.address))) as joint:
                unlike_nodes(place, cluster, joint)
                full_store(place, joint)
        finally:
            cluster.shutdown()


if __name__ == "__main__":
    main()
