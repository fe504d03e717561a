"""Cables of a cluster that are pulled while films are made: each film comes out as one process makes it.

    python tests/campaigns/cluster_network.py --minutes 3 --seed 1

Two nodes of one core each stand in network namespaces of this machine, behind a bridge; one of them does not see the
films' folder, so that the film and its pieces travel. A cut lasts a moment, or for so long that Ray gives the node up.
Needs root, ``ip``, ``unshare`` and the extra ``farm``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cluster import PRIORITY, FilmCampaign

from edge_sr.farm.films.maker import ClusterMakers
from edge_sr.farm.nodes.connection import ClusterAddress, joined
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale

FRAMES = 1200
BRIDGE, NETWORK, PORT = "edgesr0", "10.77.31", 6399
STORE_BYTES = 80 << 20
# Ray's own patience is a minute; with less a campaign has more cuts.
PATIENCE = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
# In the environment of head, nodes and driver.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
# Of a cut, short or long, and between two, in seconds.
SHORT, LONG, PAUSE = (0.5, 4.0), (15.0, 25.0), (3.0, 8.0)


def call(*words: str, inside: str = "") -> None:
    """A command of the system, in a namespace if one is named."""
    before = ("ip", "netns", "exec", inside) if inside else ()
    done = subprocess.run([*before, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


class NamespaceNode:
    """A node of the cluster with a cable of its own; ``hidden``: a folder that it does not see."""

    def __init__(self, number: int, hidden: Path | None) -> None:
        self.name = f"edgesr{number}"
        self._cable, self._hidden = f"{self.name}out", hidden
        self._address = f"{NETWORK}.{10 + number}"
        self._process: subprocess.Popen[bytes] | None = None
        call("ip", "netns", "add", self.name)
        call("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "in", "netns", self.name)
        call("ip", "link", "set", self._cable, "master", BRIDGE, "up")
        call("ip", "link", "set", "lo", "up", inside=self.name)
        call("ip", "addr", "add", f"{self._address}/24", "dev", "in", inside=self.name)
        call("ip", "link", "set", "in", "up", inside=self.name)

    def ensure_running(self) -> None:
        """Starts Ray, unless it runs: a node that was given up ends itself."""
        if self._process is not None and self._process.poll() is None:
            return
        ray = (
            f"{sys.executable} -m ray.scripts.scripts start --block --address {NETWORK}.1:{PORT} --num-cpus 1"
        )
        start = f"exec {ray} --node-ip-address {self._address} --object-store-memory {STORE_BYTES}"
        hide = f"mount -t tmpfs none {self._hidden}; " if self._hidden else ""
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-c", hide + start],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def cut(self, seconds: float) -> None:
        call("ip", "link", "set", self._cable, "down")
        time.sleep(seconds)
        call("ip", "link", "set", self._cable, "up")

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        call("ip", "netns", "del", self.name)


@contextlib.contextmanager
def bridged(place: Path) -> Iterator[list[NamespaceNode]]:
    """The head, which makes no pieces, and two nodes."""
    call("ip", "link", "add", BRIDGE, "type", "bridge")
    call("ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
    call("ip", "link", "set", BRIDGE, "up")
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    options = ["--num-cpus", "0", "--object-store-memory", str(STORE_BYTES), "--include-dashboard", "false"]
    head = [*ray, "start", "--head", "--block", "--node-ip-address", f"{NETWORK}.1", "--port", str(PORT)]
    process = subprocess.Popen(
        [*head, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **PATIENCE},
    )
    nodes: list[NamespaceNode] = []
    try:
        time.sleep(10)
        nodes += [NamespaceNode(1, None), NamespaceNode(2, place)]
        for node in nodes:
            node.ensure_running()
        yield nodes
    finally:
        for node in nodes:
            node.close()
        process.terminate()
        process.wait(30)
        call("ip", "link", "del", BRIDGE)


class NetworkCampaign(FilmCampaign):
    """Films one after another, each while cables are pulled."""

    def __init__(self, dice: random.Random, place: Path, nodes: list[NamespaceNode]) -> None:
        super().__init__(dice, place, FRAMES)
        self._nodes = nodes

    def run(self, until: float) -> None:
        with joined(ClusterAddress.parse(f"{NETWORK}.1:{PORT}")) as cluster:
            makers = ClusterMakers(cluster)

            def make(output: Path, watching: Silent, stop: threading.Event) -> None:
                upscale(self._request(output), Controls(watching, stop, makers))

            while time.monotonic() < until:
                self._film(self._place / "many.mkv", make, lambda ended: self._cut(ended, until))

    def _cut(self, ended: threading.Event, until: float) -> None:
        while not ended.wait(self._dice.uniform(*PAUSE)) and time.monotonic() < until:
            long = self._dice.random() < 0.4
            self._dice.choice(self._nodes).cut(self._dice.uniform(*(LONG if long else SHORT)))
            self.counts["long cuts" if long else "short cuts"] += 1
            for node in self._nodes:
                node.ensure_running()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long, about [3]")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other cuts [1]")
    options = parser.parse_args()
    os.environ |= {**TOKEN, **PRIORITY}
    with tempfile.TemporaryDirectory(prefix="edge-sr-network-") as name, bridged(Path(name)) as nodes:
        campaign = NetworkCampaign(random.Random(options.seed), Path(name), nodes)
        campaign.run(time.monotonic() + 60 * options.minutes)
    told = ", ".join(f"{count} {what}" for what, count in sorted(campaign.counts.items()))
    print(f"cluster_network: seed {options.seed}: {told}; {campaign.counts['findings']} findings")
    sys.exit(campaign.counts["findings"] > 0)


if __name__ == "__main__":
    main()
