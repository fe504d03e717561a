"""The native decoder's bilinear base: every level, on several threads, and in memory that earlier pictures left."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from support.decoder_reference import Case, random_case

from edge_sr.backends.native import library as native
from edge_sr.backends.native.decoder import NativeDecoder

pytestmark = pytest.mark.skipif(not native.available(), reason=f"no native library: {native.why_not()}")
WIDTHS = (8, 4)


def opened(case: Case, threads: int = 2) -> NativeDecoder:
    return NativeDecoder(case.weights, case.widths, case.mode, True, threads)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_network_of_zeros_gives_the_picture_back(dtype: Any) -> None:
    case = random_case(1, widths=WIDTHS, lr=(16, 17), output=(16, 17), dtype=dtype)
    levels = (np.arange(16 * 17 * 3) % 256).reshape(1, 16, 17, 3).astype(np.uint8)
    picture = levels if dtype == np.uint8 else levels / np.float32(255)
    weights = {name: np.zeros_like(array) for name, array in case.weights.items()}
    flat = dataclasses.replace(case, image=picture, weights=weights)
    with opened(flat) as decoder:
        found = decoder.decode(*flat.arguments)
    assert np.array_equal(found, levels) if dtype == np.uint8 else np.abs(found - picture).max() < 1e-6


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_memory_of_earlier_pictures_changes_no_bit(dtype: Any) -> None:
    sizes = [
        ((9, 21), (20, 50)),
        ((60, 90), (61, 100)),
        ((3, 5), (7, 11)),
        ((60, 90), (90, 91)),
        ((1, 1), (3, 9)),
    ]
    weights = random_case(2, widths=WIDTHS).weights
    cases = [
        dataclasses.replace(random_case(2, widths=WIDTHS, lr=lr, output=output, dtype=dtype), weights=weights)
        for lr, output in sizes
    ]
    with opened(cases[0]) as kept:
        for case in cases:
            with opened(case) as fresh:
                assert np.array_equal(kept.decode(*case.arguments), fresh.decode(*case.arguments))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_rows_shared_out_over_threads_are_the_same(dtype: Any) -> None:
    case = random_case(3, widths=WIDTHS, lr=(701, 403), output=(701, 403), dtype=dtype)
    results = []
    for threads in (1, 2, 5):
        with opened(case, threads) as decoder:
            results.append(decoder.decode(*case.arguments))
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
