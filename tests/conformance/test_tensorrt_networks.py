"""The conformance tests of every backend, for networks of one graph on the checking device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
from support.tiny_bundle import write_network

from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import Bundle
from edge_sr.upscaler import Upscaler

pytestmark = pytest.mark.filterwarnings("ignore:pictures of .* in .* windows")

# For every size that comes, and for less than any: windows of one fixed shape, smaller than all pictures.
ENGINES = {"whole": {"max_size": (320, 240)}, "windows": {"sizes": ((20, 18),)}}


@pytest.fixture(scope="module", params=[("fixed", 3), ("refine", 1)], ids=lambda kind: str(kind[0]))
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_network(tmp_path_factory.mktemp("networks"), *request.param)


@pytest.fixture(params=[False, True], ids=["discrete", "integrated"])
def integrated(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=list(ENGINES))
def up(
    request: pytest.FixtureRequest, bundle: Bundle, integrated: bool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Upscaler]:
    """An upscaler on the checking device, which must end with nothing pending and nothing allocated."""
    drivers: list[FakeDriver] = []
    monkeypatch.setitem(BACKENDS, "checked", checked_backend(drivers, integrated, **ENGINES[request.param]))
    with Upscaler(bundle, backend="checked", precision="fp32") as upscaler:
        yield upscaler
    for driver in drivers:
        driver.close()


def test_it_has_frames_in_flight(up: Upscaler) -> None:
    assert up.device_bytes is not None
