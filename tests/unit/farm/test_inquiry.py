"""What a node says of the Edge SR that it has."""

from __future__ import annotations

from edge_sr.farm.nodes.inquiry import identity
from edge_sr.version import __version__


def test_a_node_states_its_version_and_its_code() -> None:
    found = identity()
    assert found["version"] == __version__
    assert len(found["code"]) == 16 and found == identity()
    assert found["packages"]["numpy"] != "absent"
