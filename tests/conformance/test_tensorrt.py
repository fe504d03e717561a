"""The conformance tests of every backend, for the TensorRT runner on the checking device."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit")]
from engine_standin import checked_backend
from test_runners import (  # noqa: F401
    test_a_region_is_that_crop_of_the_whole,
    test_a_stream_gives_what_calls_give,
    test_a_stream_that_is_given_up_leaves_the_upscaler_in_order,
    test_an_error_of_the_source_comes_through_a_stream,
    test_encoding_once_decodes_many_sizes,
    test_float_equals_the_contract,
    test_the_same_cut_twice_is_bit_equal,
    test_uint8_equals_the_contract,
)

from edge_sr.manifest import Bundle
from edge_sr.runtime.backends import BACKENDS
from edge_sr.runtime.cuda_fake import FakeDriver
from edge_sr.runtime.upscaler import Upscaler


@pytest.fixture(params=[False, True], ids=["discrete", "integrated"])
def up(request: pytest.FixtureRequest, nano: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upscaler]:
    """An upscaler on the checking device, which must end with nothing pending and nothing allocated."""
    drivers: list[FakeDriver] = []
    monkeypatch.setitem(BACKENDS, "checked", checked_backend(drivers, request.param))
    with Upscaler(nano, backend="checked", precision="fp32") as upscaler:
        yield upscaler
    for driver in drivers:
        driver.close()
