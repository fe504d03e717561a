"""Networks from picture to picture: exported, and run at any size, in tiles and regions, like DIINN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edge_sr.errors import ConfigError
from edge_sr.export.bundle import Identity
from edge_sr.export.picture import export_picture_network
from edge_sr.manifest import Bundle, Source
from edge_sr.models.luma import Bicubic, luma
from edge_sr.models.published import build_network
from edge_sr.resample import resize, resize_part, resize_planes
from edge_sr.runtime import blocks
from edge_sr.runtime.upscaler import Upscaler
from edge_sr.spec import PublishedSpec
from edge_sr.tensors import reference_card

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("srcnn", {"widths": (16, 8)}),
    ("fsrcnn", {"scale": 2, "d": 16, "s": 6, "m": 2}),
    ("espcn", {"scale": 3, "widths": (16, 8)}),
]
FRAME = reference_card(61, 47)
SIZE = (165, 127)


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda param: param[0])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    network, options = request.param
    spec = PublishedSpec("made", network, options)
    torch.manual_seed(1)
    out = tmp_path_factory.mktemp("bundles") / network
    return export_picture_network(
        spec, build_network(spec).eval(), Identity("made", "1", Source("made.pth", "0" * 64)), out
    )


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_blocks_and_regions_equal_the_whole_frame(
    bundle: Bundle, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(backend)
    with Upscaler(bundle, backend=backend, precision="fp32") as upscaler:
        whole = upscaler(FRAME, size=SIZE).astype(int)
        part = upscaler(FRAME, size=SIZE, region=(20, 10, 25, 30))
        monkeypatch.setattr(blocks, "BLOCK_BYTES", bundle.description.working_bytes * 1500)
        cut = upscaler(FRAME, size=SIZE)
    x, y = (2 * 20 * SIZE[0] + 61) // (2 * 61), (2 * 10 * SIZE[1] + 47) // (2 * 47)
    inner = whole[y : y + part.shape[0], x : x + part.shape[1]]
    for other, wanted in ((cut, whole), (part, inner)):
        assert np.abs(other - wanted).max() <= 1
        assert np.mean(other != wanted) < 1e-3


def test_float_frames(bundle: Bundle) -> None:
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        levels = upscaler(FRAME, size=SIZE)
        unit = upscaler(FRAME.astype(np.float32) / 255, size=SIZE)
    assert unit.min() >= 0
    assert unit.max() <= 1
    # The uint8 road rounds between its steps, the float road does not.
    assert np.abs(255 * unit - levels).mean() < 0.6


def test_only_a_fixed_network_reaches_other_sizes_by_lanczos(bundle: Bundle) -> None:
    times = bundle.description.scale
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        own = upscaler(FRAME, scale=times)
        other = upscaler(FRAME, size=SIZE)
    assert own.shape == (47 * times, 61 * times, 3)
    if bundle.kind == "refine":
        assert not np.array_equal(other, resize(own, SIZE, "lanczos3"))
        return
    np.testing.assert_array_equal(other, resize(own, SIZE, "lanczos3"))


def test_bicubic_of_the_graph_is_that_of_the_resampler() -> None:
    planes = np.random.default_rng(0).random((1, 3, 11, 14), dtype=np.float32)
    made = Bicubic(3)(torch.from_numpy(planes)).numpy()
    wanted = resize_planes(planes, (42, 33))
    np.testing.assert_allclose(made[..., 6:-6, 6:-6], wanted[..., 6:-6, 6:-6], atol=1e-6)


def test_luma_is_that_of_the_quality_protocol() -> None:
    white = luma(torch.ones(1, 3, 1, 1)).item()
    black = luma(torch.zeros(1, 3, 1, 1)).item()
    assert (white, black) == pytest.approx((235 / 255, 16 / 255))


def test_a_part_of_a_resized_picture() -> None:
    planes = np.random.default_rng(0).random((3, 40, 50), dtype=np.float32)
    for target in ((125, 100), (30, 77), (50, 40)):
        wanted = resize_planes(planes, target, "lanczos3")[..., 10:25, 7:29]
        made = resize_part(planes, ((50, 40), target), (7, 10, 29, 25), kernel="lanczos3")
        np.testing.assert_allclose(made, wanted, atol=1e-6)


def test_options_and_names_are_checked() -> None:
    with pytest.raises(ConfigError, match="unknown key 'scales'"):
        build_network(PublishedSpec("made", "fsrcnn", {"scales": 2}))
    with pytest.raises(ConfigError, match="srcnn, fsrcnn"):
        build_network(PublishedSpec("made", "swinir"))
