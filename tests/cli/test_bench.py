"""``edge-sr bench``: keys, sums and refusals; no figure is held against a clock."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.calling import Command

from edge_sr.benchmark import bench as work
from edge_sr.benchmark import peak
from edge_sr.benchmark.cost import split_cost
from edge_sr.bundle import open_bundle

KEYS = {"encoder_ms", "decoder_ms", "fps", "gflop_per_frame", "gflops", "peak_gflops", "peak_rss_mb"}
SMALL = ("diinn-nano", "--input-size", "24x16", "--scale", "2.5")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setattr(work, "SECONDS", 0.01)
    monkeypatch.setattr(peak.measure, "__defaults__", (0.01,))
    return Command("bench", monkeypatch, capsys)


def test_json_of_one_setting(bench: Command) -> None:
    answer = bench(*SMALL, "--backend", "onnxruntime", "--precision", "fp32", "--json")
    found = answer.json
    assert answer.code == 0 and set(found) >= KEYS
    assert (found["input_size"], found["output_size"]) == ("24x16", "60x40")
    work_done = split_cost(open_bundle("diinn-nano").network).gflop((24, 16), (60, 40))
    assert found["gflop_per_frame"] == pytest.approx(work_done, abs=1e-3)
    assert found["gflops"] == pytest.approx(work_done * found["fps"], rel=0.05)
    assert found["encoder_ms"] > 0 and found["peak_gflops"] > 0 and found["peak_rss_mb"] > 20


def test_all_runs_every_backend_that_works(bench: Command, tmp_path: Path) -> None:
    plot = tmp_path / "bench.svg"
    found = bench(*SMALL, "--all", "--plot", plot, "--json").json
    ran = {(row["backend"], row["precision"]) for row in found["results"]}
    assert {("onnxruntime", "fp32"), ("onnxruntime", "fp16")} <= ran
    assert not ran & {tuple(name.split()) for name in found["skipped"]}
    svg = ElementTree.parse(plot).getroot()
    assert sum(
        rect.attrib["height"] == "18" for rect in svg.iter("{http://www.w3.org/2000/svg}rect")
    ) == 2 * len(ran)


@pytest.mark.parametrize("form", ["svg", "png"])
def test_of_a_gpu_the_processors_peak_says_nothing(
    bench: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    if form == "png":
        pytest.importorskip("matplotlib")
    monkeypatch.setattr(work, "GPU_BACKENDS", ("onnxruntime",))
    words = (*SMALL, "--backend", "onnxruntime", "--precision", "fp32")
    found = bench(*words, "--plot", tmp_path / f"bench.{form}", "--json").json
    assert not {"peak_gflops", "encoder_share", "decoder_share"} & set(found)


def test_a_decoders_share_is_of_the_peak_in_what_it_computes_in() -> None:
    setting = work.Setting(open_bundle("diinn-nano"), (48, 32), (96, 64), "onnxruntime", "int8", threads=1)
    found = work.run(setting, {"fp32": 100.0, "bf16": 1e9, "int8": 100.0})
    assert found.decoder_share is not None and found.decoder_share > 1e-4


@pytest.mark.parametrize(
    "words, message",
    [
        (("--input-size", "2x2"), "at least 4 x 4"),
        (("--precision", "bf16", "--backend", "onnxruntime"), "not 'bf16'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(
    bench: Command, words: tuple[str, ...], message: str
) -> None:
    answer = bench("diinn-nano", *words)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err and "measuring" not in answer.err
