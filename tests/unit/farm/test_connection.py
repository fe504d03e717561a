"""Addresses of clusters."""

from __future__ import annotations

import socket

import pytest

from edge_sr.errors import UnreachableError
from edge_sr.farm.nodes.connection import ClusterAddress, knock


@pytest.mark.parametrize(
    ("text", "address", "slots"),
    [("local", None, None), ("local:3", None, 3), ("auto", "auto", None), ("head:6379", "head:6379", None)],
)
def test_what_an_address_says(text: str, address: str | None, slots: int | None) -> None:
    assert ClusterAddress.parse(text) == ClusterAddress(address, slots)


def test_where_nothing_listens_it_says_so_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}"):
        knock(f"127.0.0.1:{port}")
