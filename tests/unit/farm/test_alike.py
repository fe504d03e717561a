"""Which nodes may share a film, and what they compute with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_sr.backends.autotune import choose_offered
from edge_sr.bundle import open_bundle
from edge_sr.errors import OptionError
from edge_sr.farm.nodes.alike import odd_ones, refuse_mixture
from edge_sr.farm.nodes.trial import NodeTrial

PICTURE = np.random.default_rng(1).integers(10, 240, (100, 180, 3), dtype=np.uint8)
TRIAL = NodeTrial("native", "native", "fp32", None, {"native": "avx512", "numpy": "2"}, PICTURE)


def changed(count: int, by: int) -> NodeTrial:
    picture = PICTURE.copy()
    picture.reshape(-1)[:count] += np.uint8(by)
    return dataclasses.replace(TRIAL, picture=picture)


def test_nodes_that_compute_alike_are_one_kind() -> None:
    refuse_mixture({"one": TRIAL, "two": changed(0, 0)})
    assert odd_ones(TRIAL, {"two": changed(0, 0)}, allow_mixed=False) == []


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            dataclasses.replace(TRIAL, computing={"native": "avx2", "numpy": "2"}),
            "native: avx2 against avx512",
        ),
        (dataclasses.replace(TRIAL, encoder_backend="openvino"), "openvino against native"),
        (changed(1, 1), "the same kernels give other pictures"),
    ],
)
def test_a_mixture_is_refused_and_says_in_what(other: NodeTrial, told: str) -> None:
    with pytest.raises(OptionError, match=told) as refused:
        refuse_mixture({"one": TRIAL, "two": TRIAL, "three": other})
    assert "beside one, two there are three" in str(refused.value)
    assert "--allow-mixed" in str(refused.value)
    assert odd_ones(TRIAL, {"three": other}, allow_mixed=False) == ["three"]


@pytest.mark.parametrize(
    ("other", "joins"),
    [
        (changed(50, 1), True),
        (changed(50, 2), False),
        (changed(54, 1), False),  # 54 of 54,000 values: one in a thousand
        (dataclasses.replace(TRIAL, precision="bf16"), False),
    ],
)
def test_mixed_nodes_join_within_a_level(other: NodeTrial, joins: bool) -> None:
    assert (odd_ones(TRIAL, {"other": other}, allow_mixed=True) == []) is joins


def test_what_all_nodes_have_is_chosen_by_the_time_of_all() -> None:
    bundle = open_bundle("diinn-nano")
    quick = {"native fp32": 4.0, "native bf16": 1.0, "onnxruntime fp32": 9.0}
    slow = {"native fp32": 40.0, "onnxruntime fp32": 20.0}
    together = choose_offered(bundle, [quick, slow])
    assert together is not None
    # 2 / (1/4 + 1/40) = 7.3 ms against 2 / (1/9 + 1/20) = 12.4 ms.
    assert (together.backend.name, together.precision) == ("native", "fp32")
    assert choose_offered(bundle, [{"native fp32": 1.0}, {"onnxruntime fp32": 1.0}]) is None


def test_what_needs_no_measuring_wins() -> None:
    chosen = choose_offered(open_bundle("diinn-nano"), [{"cuda fp16": 0.0, "native fp32": 1.0}] * 2)
    assert chosen is not None
    assert chosen.backend.name == "cuda"
