"""Where a server listens, as a person writes it and as it is said back."""

from __future__ import annotations

import errno

import pytest

from edge_sr.errors import OptionError
from edge_sr.web.place import Place, netloc, parse_place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("8080", Place("127.0.0.1", 8080)),
        (":8080", Place("127.0.0.1", 8080)),
        ("0.0.0.0:0", Place("0.0.0.0", 0)),
        ("camera.local:65535", Place("camera.local", 65535)),
        ("[::1]:8080", Place("::1", 8080)),
        ("[fe80::1%eth0]:1", Place("fe80::1%eth0", 1)),
    ],
)
def test_a_place_is_read(text: str, place: Place) -> None:
    assert parse_place(text, "it") == place


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "::1", "::1:8080", "[::1]", "[]:80", "[::1:80", "80:65536", "-1", "8٣"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"it must be PORT or HOST:PORT.*\[::1\]:8080"):
        parse_place(text, "it")


def test_an_ipv6_address_is_said_in_brackets() -> None:
    assert (netloc("::1", 80), netloc("localhost", 80)) == ("[::1]:80", "localhost:80")
    refused = Place("::1", 80).refused("the page", OSError(errno.EADDRINUSE, "x"), "use another")
    assert str(refused) == "the page cannot be served at [::1]:80: it is taken; use another"
