"""The page's door and what a viewer may ask for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sr.camera.page.messages import before_region, packed
from edge_sr.camera.page.viewer import InOrder
from edge_sr.camera.page.views import MOST_PIXELS, Acknowledged, BadMessage, View, parse_message
from edge_sr.sizes import output_region
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.web.authentication import Bucket, Gate, is_loopback, page_token

SOURCE = (320, 180)
KEYS = ("view", "screen", "model", "precision", "drawn")
NUMBER = st.floats() | st.integers()
TEXT = st.sampled_from(("", "diinn-nano", "é" * 65))
VALUE = st.none() | st.booleans() | NUMBER | TEXT | st.lists(NUMBER, max_size=4)


@given(
    st.floats(0, 65536), st.floats(0, 65536), st.floats(1e-3, 65536), st.floats(1e-3, 65536),
    st.integers(1, 16384), st.integers(1, 16384),
)  # fmt: skip
def test_every_view_has_a_decode_that_fits(
    x: float, y: float, width: float, height: float, across: int, down: int
) -> None:
    plan = View(x, y, width, height, (across, down)).plan(SOURCE)
    left, top, wide, high = plan.region
    assert 0 <= left < left + wide <= 320
    assert 0 <= top < top + high <= 180
    assert plan.size[0] >= 320 and plan.size[1] >= 180
    assert max(plan.size) <= 65536
    box = output_region(plan.region, SOURCE, plan.size)
    assert 0 < box.width * box.height <= 1.05 * max(MOST_PIXELS, wide * high)


def test_a_view_is_as_sharp_as_the_screen() -> None:
    plan = View(40.0, 30.0, 100.0, 50.0, (800, 400)).plan(SOURCE)
    assert plan.region == (40, 30, 100, 50)
    assert plan.size == (2560, 1440)
    assert View(40.0, 30.0, 100.0, 50.0, (50, 25)).plan(SOURCE).size == SOURCE


@settings(max_examples=100)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, VALUE)))
def test_an_object_is_a_message_or_refused(value: dict[str, object]) -> None:
    try:
        message = parse_message(json.dumps(value))
    except BadMessage:
        return
    assert isinstance(message, (Acknowledged, NetworkChoice, View))
    if isinstance(message, View):
        message.plan(SOURCE)


def test_messages() -> None:
    assert parse_message('{"drawn": 7}') == Acknowledged(7)
    assert parse_message('{"model": "a", "precision": "fp32"}') == NetworkChoice("a", "auto", "fp32")
    assert parse_message('{"view": [0, 1, 2.5, 3], "screen": [4, 5]}') == View(0, 1, 2.5, 3, (4, 5))
    for text in (
        "",
        "[" * 100_000,
        '{"view": [0, 0, NaN, 1], "screen": [1, 1]}',
        '{"drawn": true}',
        '{"x": 1}',
        *("null", "1", '"drawn"', "[]", "[[7]]", "{}"),
    ):
        with pytest.raises(BadMessage):
            parse_message(text)


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    bucket = Bucket(2, 3, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.6
    assert bucket.is_open
    assert [bucket.take() for _ in range(2)] == [True, False]


def test_loopback_needs_no_token_but_its_own_name() -> None:
    gate = Gate("127.0.0.1", page_token("127.0.0.1"))
    assert gate.token is None
    assert gate.admits_token("") and gate.admits_cookie("")
    assert gate.admits_host("localhost:8080") and gate.admits_host("[::1]:8080")
    for host in ("evil.example", "", "127.0.0.1.evil.example", "[::1", "a b", "127.0.0.1:x"):
        assert not gate.admits_host(host)


def test_elsewhere_the_token_and_then_the_cookie() -> None:
    gate = Gate("0.0.0.0", page_token("0.0.0.0"))
    assert gate.token is not None and len(gate.token) >= 20
    assert gate.admits_token(gate.token)
    assert not gate.admits_token("") and not gate.admits_token("\u00fc")
    assert gate.admits_cookie(gate.cookie) and not gate.admits_cookie(gate.token)
    assert gate.admits_host("camera.example:8080")
    assert page_token("0.0.0.0") != gate.token


def test_origins() -> None:
    gate = Gate("0.0.0.0", page_token("0.0.0.0"))
    assert gate.admits_origin(None, "h:1")
    assert gate.admits_origin("http://h:1", "H:1")
    for origin in ("http://h:2", "null", "", "http://evil/h:1", "http://["):
        assert not gate.admits_origin(origin, "h:1")


def test_loopback_addresses() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.9", "::1"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "192.0.2.1", "camera"))


def test_a_small_source_goes_out_whole_and_lengths_are_stated() -> None:
    assert before_region((1, 2, 3, 4), SOURCE) == (0, 0, 320, 180)
    assert before_region((1, 2, 3, 4), (1920, 1080)) == (1, 2, 3, 4)
    message = packed({"number": 1}, b"sharp", b"soft")
    length = int.from_bytes(message[:4], "big")
    assert json.loads(message[4 : 4 + length]) == {"number": 1, "sharp_bytes": 5, "soft_bytes": 4}
    assert message[4 + length :] == b"sharpsoft"


def test_pictures_reach_a_viewer_in_order_whichever_is_painted_first() -> None:
    sent: list[bytes] = []
    pictures = InOrder(sent.append)
    pictures.put(2, b"second")
    pictures.put(4, b"fourth")
    assert sent == []
    pictures.put(1, b"first")
    assert sent == [b"first", b"second"]
    pictures.put(3, None)
    assert sent == [b"first", b"second", b"fourth"]
