"""The native decoder against float64 numpy: every kernel, mode, width and shape that takes another path."""

from __future__ import annotations

import copy
import ctypes
import dataclasses
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.decoder_reference import Case, decode, random_case

from edge_sr.backends.native import library as native
from edge_sr.backends.native.calls import Calls
from edge_sr.backends.native.decoder import NativeDecoder
from edge_sr.backends.native.kernels import BF16_KERNELS
from edge_sr.errors import BundleError, LifetimeError, MissingError, ShapeError, UnknownNameError

needs_library = pytest.mark.skipif(not native.available(), reason=f"no native library: {native.why_not()}")
KERNELS = native.kernels()
EXACT = [name for name in KERNELS if name not in BF16_KERNELS]
BF16 = [
    pytest.param(name, marks=pytest.mark.skipif(name not in KERNELS, reason=f"no {name} on this processor"))
    for name in sorted(BF16_KERNELS)
]


def run(case: Case, kernel: str = "auto", threads: int = 2, **options: Any) -> np.ndarray[Any, Any]:
    base = case.image is not None
    with NativeDecoder(case.weights, case.widths, case.mode, base, threads, kernel) as decoder:
        return decoder.decode(*case.arguments, **options)


def assert_equal(case: Case, kernel: str) -> None:
    reference = decode(case)
    as_float = run(case, kernel, dtype=np.float32)
    assert np.abs(as_float[0] - reference).max() < 1e-5


@needs_library
@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("mode", [1, 2, 3])
@pytest.mark.parametrize("base", [True, False])
def test_modes_and_base(kernel: str, mode: int, base: bool) -> None:
    assert_equal(random_case(1, mode=mode, base=base), kernel)


@needs_library
@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("widths", [(1,), (5,), (16, 3), (7, 33, 18), (64, 48, 32, 16, 8), (256, 256)])
@pytest.mark.parametrize("mode", [2, 3])
def test_any_width_and_depth(kernel: str, widths: tuple[int, ...], mode: int) -> None:
    assert_equal(random_case(2, mode=mode, widths=widths, output=(13, 35), lr=(6, 17)), kernel)


@needs_library
@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize(
    ("lr", "output"),
    [
        ((4, 4), (9, 9)),
        ((1, 1), (3, 100)),
        ((5, 40), (5, 40)),
        ((5, 40), (6, 47)),
        ((3, 90), (25, 721)),
        ((1, 17), (2, 34)),
    ],
)
def test_sizes(kernel: str, lr: tuple[int, int], output: tuple[int, int]) -> None:
    assert_equal(random_case(3, lr=lr, output=output, widths=(8, 8)), kernel)


@needs_library
@pytest.mark.parametrize("kernel", EXACT)
def test_scattered_columns(kernel: str) -> None:
    case = random_case(4, lr=(12, 80), output=(24, 160))
    random = np.random.default_rng(0)
    rows = random.integers(0, 12, 24).astype(np.int32)
    cols = random.integers(0, 80, 160).astype(np.int32)
    cols[:32] = case.cols[:32]
    assert_equal(dataclasses.replace(case, rows=rows, cols=cols), kernel)


@needs_library
@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("base", [True, False])
def test_bytes_are_the_rounded_floats(kernel: str, base: bool) -> None:
    case = random_case(5, dtype=np.uint8, base=base)
    expected = np.round(decode(case) * 255)
    difference = np.abs(run(case, kernel)[0].astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@needs_library
@pytest.mark.parametrize("kernel", BF16)
@pytest.mark.parametrize("widths", [(32, 32, 32), (7, 33, 18), (1,)])
@pytest.mark.parametrize("mode", [2, 3])
def test_bf16_stays_close(widths: tuple[int, ...], mode: int, kernel: str) -> None:
    case = random_case(6, mode=mode, widths=widths)
    error = run(case, kernel, dtype=np.float32)[0] - decode(case)
    assert 0 < np.sqrt((error**2).mean()) < 2e-2


@needs_library
@pytest.mark.parametrize("kernel", BF16)
@pytest.mark.parametrize("scattered", [False, True])
def test_bf16_maps_equal_floats_of_the_same_values(scattered: bool, kernel: str) -> None:
    case = random_case(17, lr=(9, 40), output=(20, 97))
    if scattered:
        case.cols[...] = np.random.default_rng(1).permutation(97) % 40
    halves = (case.maps.view(np.uint32) >> 16).astype(np.uint16)
    floats = (halves.astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(run(_changed(case, maps=halves), kernel), run(_changed(case, maps=floats), kernel))
    with pytest.raises(ShapeError):
        run(_changed(case, maps=halves), "portable")


@needs_library
def test_region_equals_the_crop_of_the_whole() -> None:
    case = random_case(7, lr=(20, 60), output=(66, 198), dtype=np.uint8)
    whole = run(case)
    part = dataclasses.replace(
        case,
        rows=case.rows[11:40],
        cols=case.cols[37:140],
        offset_y=case.offset_y[:, :, 11:40],
        offset_x=case.offset_x[..., 37:140],
    )
    difference = np.abs(run(part).astype(int) - whole[:, 11:40, 37:140].astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@needs_library
def test_threads_do_not_change_a_bit() -> None:
    case = random_case(8, lr=(30, 50), output=(61, 130))
    assert np.array_equal(run(case, threads=1), run(case, threads=7))


@needs_library
def test_no_thread_is_left_behind() -> None:
    case = random_case(9)
    with NativeDecoder(case.weights, case.widths, case.mode, True, 4) as decoder:
        before = set(Path("/proc/self/task").glob("*"))
        decoder.decode(*case.arguments)
        assert set(Path("/proc/self/task").glob("*")) == before


@needs_library
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_decodes_after_a_fork() -> None:
    case = random_case(10)
    with NativeDecoder(case.weights, case.widths, case.mode, True, 3) as decoder:
        expected = decoder.decode(*case.arguments)
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(decoder.decode(*case.arguments), expected) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@needs_library
def test_one_decoder_serves_several_threads() -> None:
    case = random_case(11, lr=(30, 50), output=(61, 130))
    results: list[np.ndarray[Any, Any]] = []
    with NativeDecoder(case.weights, case.widths, case.mode, True, 2) as decoder:
        threads = [
            threading.Thread(target=lambda: results.append(decoder.decode(*case.arguments))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 4
    assert all(np.array_equal(result, results[0]) for result in results)


@needs_library
@pytest.mark.parametrize("kernel", EXACT)
def test_sines(kernel: str) -> None:
    wide = np.linspace(-100, 100, 1 << 18, dtype=np.float32)
    small = np.linspace(-0.1, 0.1, 1 << 12, dtype=np.float32)
    for x, limit in ((wide, 1e-6), (small, 2e-7)):
        sine, cosine = np.empty_like(x), np.empty_like(x)
        places = (ctypes.c_void_p(array.ctypes.data) for array in (x, sine, cosine))
        native.loaded().esr_sines(kernel.encode(), *places, ctypes.c_int32(x.size))
        angle = np.pi * x.astype(np.float64)
        assert np.abs(sine - np.sin(angle)).max() <= limit
        assert np.abs(cosine - np.cos(angle)).max() <= limit


@needs_library
def test_the_library_stays_below_a_megabyte_and_a_half() -> None:
    """It lies in every wheel; a rare path that is put in place everywhere soon doubles it."""
    assert native.library_path().stat().st_size < 1_500_000


@needs_library
def test_not_a_number_becomes_black() -> None:
    case = random_case(12, dtype=np.uint8)
    case.maps[...] = np.nan
    assert not run(case).any()


def _changed(case: Case, **changes: Any) -> Case:
    return dataclasses.replace(case, **changes)


@needs_library
@pytest.mark.parametrize(
    "changes",
    [
        {"rows": np.array([0, 9], np.int32), "offset_y": np.zeros((1, 1, 2, 1), np.float32)},
        {"cols": np.array([-1], np.int32), "offset_x": np.zeros((1, 1, 1, 1), np.float32)},
        {"rows": np.array([0], np.int64)},
        {"rows": np.array([], np.int32)},
        {"offset_x": np.zeros((1, 1, 1, 49), np.float32)},
        {"offset_y": np.full((1, 1, 20, 1), np.nan, np.float32)},
        {"offset_y": np.full((1, 1, 20, 1), 1.5, np.float32)},
        {"maps": np.zeros((1, 95, 9, 21), np.float32)},
        {"maps": np.zeros((1, 96, 9, 21), np.float64)},
        {"image": np.zeros((1, 9, 20, 3), np.uint8)},
        {"image": np.zeros((1, 9, 21, 3), np.float64)},
        {"ratio": np.full((1, 1, 1, 1), np.inf, np.float32)},
    ],
)
def test_refuses_what_does_not_fit(changes: dict[str, Any]) -> None:
    with pytest.raises(ShapeError):
        run(_changed(random_case(13), **changes))


@needs_library
def test_writes_into_out_and_refuses_a_wrong_one() -> None:
    case = random_case(14, dtype=np.uint8)
    out = np.zeros((1, 20, 50, 3), np.uint8)
    assert run(case, out=out) is out
    assert out.any()
    for wrong in (out[:, :, ::-1], out[:, :19], out.astype(np.float32)):
        with pytest.raises(ShapeError):
            run(case, out=wrong)


@needs_library
def test_refuses_weights_that_do_not_fit() -> None:
    case = random_case(15)
    for name, value in (("last.bias", np.zeros(4)), ("last.weight", np.full((3, 32), np.nan))):
        with pytest.raises(BundleError, match=name):
            run(_changed(case, weights={**case.weights, name: value}))
    with pytest.raises(BundleError, match="mode 4"):
        run(_changed(case, mode=4))
    with pytest.raises(BundleError, match=r"modulation\.1"):
        run(_changed(case, weights={k: v for k, v in case.weights.items() if k != "modulation.1.weight"}))


@needs_library
def test_unknown_kernel_and_closed_decoder() -> None:
    case = random_case(16)
    with pytest.raises(UnknownNameError, match="avx1024"):
        run(case, "avx1024")
    decoder = NativeDecoder(case.weights, case.widths, case.mode, True)
    decoder.close()
    decoder.close()
    with pytest.raises(LifetimeError, match="closed"):
        decoder.decode(*case.arguments)
    with pytest.raises(LifetimeError, match="NativeDecoder cannot be copied"):
        copy.copy(decoder)
    NativeDecoder.__new__(NativeDecoder).__del__()


@needs_library
def test_closing_waits_for_those_who_decode() -> None:
    """Weights freed under a running call crash, or give other pictures."""
    case = random_case(17, lr=(60, 80), output=(240, 320), widths=(32, 32))
    expected = run(case)
    for _ in range(20):
        decoder = NativeDecoder(case.weights, case.widths, case.mode, True, 1)
        results: list[np.ndarray[Any, Any]] = []
        begun = threading.Barrier(5)

        def work(decoder: NativeDecoder = decoder, results: list[Any] = results) -> None:
            begun.wait()  # noqa: B023 - joined in the same turn
            while True:
                try:
                    results.append(decoder.decode(*case.arguments))
                except LifetimeError:
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        closing = [threading.Thread(target=decoder.close) for _ in range(2)]
        for thread in closing:
            thread.start()
        for thread in (*closing, *threads):
            thread.join()
        assert all(np.array_equal(result, expected) for result in results)


@needs_library
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_was_forked_during_a_call_can_close() -> None:
    calls = Calls("decoder")

    def forking() -> int:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            calls.end()
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert calls.one(forking) == 0


def test_absent_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native, "library_path", lambda: tmp_path / "_native.so")
    native._load.cache_clear()
    try:
        assert not native.available()
        assert "compiler" in native.why_not()
        assert native.kernels() == []
        with pytest.raises(MissingError, match="compiler"):
            NativeDecoder({}, (1,), 3, False)
    finally:
        monkeypatch.undo()
        native._load.cache_clear()
