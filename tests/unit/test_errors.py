"""What a foreign library's error comes to in a line."""

from __future__ import annotations

import pytest

from edge_sr.errors import first_line, last_line


@pytest.mark.parametrize(
    ("error", "first", "last"),
    [
        (ValueError("outer\n\n  inner\n"), "outer", "inner"),
        (ValueError(), "ValueError", "ValueError"),
        (RuntimeError(" \n"), "RuntimeError", "RuntimeError"),
        (KeyError("name"), "'name'", "'name'"),
    ],
)
def test_a_foreign_error_is_one_line_and_never_none(error: Exception, first: str, last: str) -> None:
    assert (first_line(error), last_line(error)) == (first, last)
