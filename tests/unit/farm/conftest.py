"""One cluster on this machine for all tests that need one."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from edge_sr.farm.nodes.connection import Cluster, ClusterAddress, joined


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two pieces at a time; a run with ``--cluster local`` in this process joins it too."""
    pytest.importorskip("ray")
    if not sys.platform.startswith("linux"):
        pytest.skip("Ray's clusters are tried on Linux")
    with joined(ClusterAddress.parse("local:2")) as found:
        yield found
