"""The training form of the network against the reference, and the batches against the grid."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.checkpoints import NARROW, all_modes, random_network

from edge_sr.errors import ConfigError
from edge_sr.models.implicit.diinn import Positions
from edge_sr.spec import DecoderSpec
from edge_sr.training.data.batches import BatchSource
from edge_sr.training.data.scale_set import ScaledCrops, draw_scales, scale_crops
from edge_sr.training.spec import ScheduleSpec
from edge_sr.training.tasks.sampled import SampledDiinn, whole_picture

SIDE = 72
pytestmark = pytest.mark.torch


def crops(count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def source(
    scaled: ScaledCrops, patch: int, samples: int = 2, pictures: np.ndarray | None = None
) -> BatchSource:
    spec = ScheduleSpec(batch=2, patch=patch, samples=samples)
    pictures = crops() if pictures is None else pictures
    return BatchSource(pictures, np.full(3, 1 / 3), [scaled], np.ones(1), spec, 11)


def as_picture(low: torch.Tensor) -> torch.Tensor:
    return low.permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(("mode", "init_q"), [case for case in all_modes() if case[0] < 4])
@pytest.mark.parametrize("base", [False, True])
def test_samples_equal_the_reference_picture(mode: int, init_q: bool, base: bool) -> None:
    network = random_network(NARROW["residual"], DecoderSpec(mode, init_q, (12, 10, 8), base))
    low = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        whole = network(low, (18, 18))
        phases = torch.tensor([-2 / 3, 0, 2 / 3])
        offsets = torch.stack(torch.meshgrid(phases, phases, indexing="ij"), -1).reshape(1, 1, 1, 9, 2)
        samples = SampledDiinn(network)(low, offsets.expand(1, 6, 6, 9, 2), torch.tensor([1 / 9]))
    tiled = samples.view(6, 6, 3, 3, 3).permute(4, 0, 2, 1, 3).reshape(3, 18, 18)
    assert torch.allclose(tiled, whole[0], atol=1e-5)


@pytest.mark.parametrize(("mode", "init_q"), all_modes())
def test_the_validation_picture_equals_the_reference(mode: int, init_q: bool) -> None:
    network = random_network(NARROW["edsr"], DecoderSpec(mode, init_q, (12, 8), mode == 3))
    low = torch.rand(1, 3, 7, 7)
    with torch.no_grad():
        assert torch.allclose(whole_picture(network, low, 17), network(low, (17, 17)), atol=1e-5)


@pytest.mark.parametrize("scale", ["1.3", "2", "2.85", "4"])
def test_every_sample_lies_inside_its_low_resolution_pixel(scale: str) -> None:
    scaled = scale_crops(crops(), Fraction(scale))
    batch = source(scaled, patch=8).draw()
    assert batch.low.shape == (2, 8, 8, 3)
    assert batch.target.shape == (2, 8, 8, 2, 3)
    assert batch.offsets.abs().max() <= 1
    assert batch.ratio == pytest.approx((scaled.side / scaled.high) ** 2)


@pytest.mark.parametrize("scale", ["1.5", "1.7", "2", "2.5"])
def test_weights_make_samples_count_as_often_as_their_pixels_are(scale: str) -> None:
    scaled = scale_crops(crops(), Fraction(scale))
    batches = source(scaled, patch=scaled.side)
    far = np.abs(scaled.offsets) > 0.7
    share = (far[:, None] | far).mean()
    measured = []
    for _ in range(60):
        batch = batches.draw()
        assert batch.weights.mean().item() == pytest.approx(1, abs=1e-6)
        measured.append((batch.weights * (batch.offsets.abs() > 0.7).any(-1)).mean().item())
    assert np.mean(measured) == pytest.approx(share, abs=0.01)


def test_samples_are_those_of_a_turned_picture_at_their_places() -> None:
    # Colours that say where they are, so that a sample's is known from its LR pixel's and its offset.
    places = np.stack(np.broadcast_arrays(np.arange(SIDE)[:, None], np.arange(SIDE)[None], 0), -1)
    pictures = np.stack([places.astype(np.uint8)] * 3)
    scaled = scale_crops(pictures, Fraction("1.5"))
    batches, ways = source(scaled, patch=8, pictures=pictures), set()
    for _ in range(20):
        batch = batches.draw()
        offsets = batch.offsets.numpy() * 0.75
        lows, targets = (pixels.numpy().astype(int) for pixels in (batch.low, batch.target))
        for low, target, offset in zip(lows, targets, offsets, strict=True):
            inside = slice(2, 6)
            steps = np.sign(low[7, 7] - low[0, 0])[:2]
            crossed = low[7, 0, 0] == low[0, 0, 0]
            moved = (target[inside, inside] - low[inside, inside, None])[..., :2]
            own = offset[inside, inside, :, ::-1] if crossed else offset[inside, inside]
            assert np.abs(moved - own * steps).max() <= 1
            ways.add((*steps, crossed))
        assert batch.offsets.min() >= -1
        assert batch.offsets.max() < 1
    assert len(ways) == 8


def test_a_grid_batch_is_the_window_of_the_whole_picture() -> None:
    network = random_network(NARROW["residual"], DecoderSpec(4, False, (8, 8), True))
    scaled = scale_crops(crops(), Fraction("2.4"))
    batch = source(scaled, patch=scaled.side).draw_grid(halo=1)
    low = as_picture(batch.low)
    with torch.no_grad():
        window = network.decode(network.encode(low), low, Positions.from_grid(batch.grid, low))
        whole = network(low, (scaled.high, scaled.high))
    assert batch.target.shape[1:3] == (scaled.high - 2, scaled.high - 2)
    assert torch.allclose(window, whole[:, :, 1:-1, 1:-1], atol=1e-5)


def test_the_source_goes_on_from_a_saved_place() -> None:
    scaled = scale_crops(crops(), Fraction(2))
    first = source(scaled, patch=8)
    first.draw()
    place = first.state()
    expected = first.draw()
    second = source(scaled, patch=8)
    second.restore(place)
    again = second.draw()
    assert torch.equal(expected.low, again.low)
    assert torch.equal(expected.offsets, again.offsets)
    assert torch.equal(expected.target, again.target)


def test_scales_cover_the_range_and_their_shares_add_up() -> None:
    scales, shares = draw_scales(ScheduleSpec(), 24, seed=3)
    assert scales[:3] == [2, 3, 4]
    assert shares[:3].sum() == pytest.approx(0.4)
    assert shares.sum() == pytest.approx(1)
    assert min(scales) < 1.4
    assert max(scales) > 6
    assert len(scales) == len(shares) == 24


def test_half_scales_are_drawn_as_often_as_asked() -> None:
    scales, shares = draw_scales(ScheduleSpec(whole_share=0.1, half_share=0.3, scales=(1.1, 3)), 24, seed=3)
    assert scales[:4] == [2, 3, Fraction(3, 2), Fraction(5, 2)]
    assert shares[:4] == pytest.approx([0.05, 0.05, 0.15, 0.15])
    assert shares.sum() == pytest.approx(1)
    assert len(scales) == len(shares) == 24


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="at most 1"):
        ScheduleSpec(whole_share=0.5, half_share=0.5, far_share=0.1)
