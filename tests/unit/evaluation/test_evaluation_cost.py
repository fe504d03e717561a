"""Work counted against the papers' figures and the networks' own weights."""

from __future__ import annotations

import pytest

from edge_sr.benchmark.cost import paper_cost, split_cost
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec

RDN = EncoderSpec("rdn", 64, 16, 8, 64)
SMALL = EncoderSpec("residual", 32, 6)


def network(encoder: EncoderSpec, mode: int, init_q: bool = False, width: int = 64) -> NetworkSpec:
    return NetworkSpec("n", encoder, DecoderSpec(mode, init_q, (width,) * 4))


def test_the_papers_network() -> None:
    paper = network(RDN, 3, width=256)
    assert paper_cost(paper) == (21_964_480, 984_576)  # 21,973,952 parameters less 9,472 biases; decoder
    split = split_cost(paper)
    assert split.decoder == 394_752
    assert split.encoder == 21_964_480 + 9 * 64 * 4 * 256


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
def test_without_a_split_nothing_is_saved(mode: int) -> None:
    whole = network(SMALL, mode, init_q=True)
    assert split_cost(whole) == paper_cost(whole)


def test_modulation_of_modes_1_and_2_lives_at_lr() -> None:
    first, second, third = (split_cost(network(SMALL, mode)) for mode in (1, 2, 3))
    assert first.decoder == second.decoder == third.decoder - 3 * 64 * 64
    assert second.encoder - first.encoder == 3 * 9 * 32 * 64
    assert second.encoder - third.encoder == 3 * 64 * 64


@pytest.mark.parametrize("kind", ["residual", "edsr", "rdn"])
def test_features_count_as_many_products_as_there_are_weights(kind: str) -> None:
    torch = pytest.importorskip("torch")
    from edge_sr.models.encoders import build_encoder

    spec = EncoderSpec(kind, 16, 2, 3, 8) if kind == "rdn" else EncoderSpec(kind, 16, 2)
    with torch.device("meta"):
        weights = [p.numel() for p in build_encoder(spec).parameters() if p.dim() == 4]
    assert paper_cost(network(spec, 3)).encoder == sum(weights)


def test_gflop_of_a_frame() -> None:
    cost = split_cost(network(SMALL, 3))
    assert cost.gflop((320, 180), (640, 360)) == pytest.approx(
        2e-9 * 57600 * (cost.encoder + 4 * cost.decoder)
    )
