"""Boxes of files that are none, as of raw H.264, or whose lengths are damaged."""

from __future__ import annotations

import io

import pytest

from edge_sr.video.boxes import boxes, boxes_in


def test_each_box_is_found_with_its_content() -> None:
    data = b"\0\0\0\x0aabcd12" + b"\0\0\0\x01wide" + (18).to_bytes(8, "big") + b"34" + b"\0\0\0\x08last"
    file = io.BytesIO(data)
    assert [(kind, file.read(length)) for kind, length in boxes_in(file)] == [
        (b"abcd", b"12"),
        (b"wide", b"34"),
        (b"last", b""),
    ]
    assert list(boxes(data[:10] + b"\0\0\0\x09end")) == [(b"abcd", b"12")]


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\0\0\0\x07", b"\0\0\1\0", b"\0\0\0\1"])
def test_a_length_that_leads_nowhere_ends_them(length: bytes) -> None:
    assert [kind for kind, _ in boxes_in(io.BytesIO(length + b"what" + b"\xff" * 60))] == [b"what"]
