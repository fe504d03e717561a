"""The conformance tests of every backend, for the TensorRT runner on the checking device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance.test_runners import (  # noqa: F401
    test_a_region_is_that_crop_of_the_whole,
    test_a_stream_gives_what_calls_give,
    test_a_stream_that_is_given_up_leaves_the_upscaler_in_order,
    test_an_error_of_the_source_comes_through_a_stream,
    test_encoding_once_decodes_many_sizes,
    test_float_equals_the_contract,
    test_the_same_cut_twice_is_bit_equal,
    test_uint8_equals_the_contract,
)
from support.cuda.device import FakeDriver
from support.engine_standin import checked_backend

from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import Bundle
from edge_sr.upscaler import Upscaler


@pytest.fixture(params=[False, True], ids=["discrete", "integrated"])
def up(request: pytest.FixtureRequest, nano: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upscaler]:
    """An upscaler on the checking device, which must end with nothing pending and nothing allocated."""
    drivers: list[FakeDriver] = []
    monkeypatch.setitem(BACKENDS, "checked", checked_backend(drivers, request.param))
    with Upscaler(nano, backend="checked", precision="fp32") as upscaler:
        yield upscaler
    for driver in drivers:
        driver.close()
