"""One cluster on this machine for all tests that need one."""

from __future__ import annotations

import contextlib
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
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            # Another cluster's address does not keep a local one from being started.
            patch.setenv("RAY_ADDRESS", "127.0.0.1:1")
            found = stack.enter_context(joined(ClusterAddress.parse("local:2")))
        yield found
