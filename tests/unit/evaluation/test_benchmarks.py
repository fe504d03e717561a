"""The comparison scripts run, and compare like with like."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnxruntime
import pytest
from PIL import Image
from support.scenes import scene

from edge_sr.video.film.film import Film
from edge_sr.video.frames.pixels import ToRgb
from edge_sr.video.frames.tonemap import pq_to_nits

ROOT = Path(__file__).parents[3]


def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )


def answer(script: str, *words: str) -> Any:
    """What a script of ``benchmarks`` prints as JSON."""
    done = run(script, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_paper_form_and_split_form_give_one_picture() -> None:
    pytest.importorskip("torch")
    words = [
        "--input-size",
        "24x16",
        "--scales",
        "2,3.3",
        "--rounds",
        "1",
        "--backend",
        "onnxruntime",
        "--json",
    ]
    found = answer("paper_form.py", *words)["scales"]
    assert {scale: entry["output_size"] for scale, entry in found.items()} == {"2": "48x32", "3.3": "79x53"}
    for entry in found.values():
        assert entry["largest_difference"] <= 1
        assert entry["ratio"] == pytest.approx(entry["paper_ms"]["whole"] / entry["split_ms"]["whole"])


def test_peak_graphs_are_what_the_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import make_peak_graphs

    shipped = make_peak_graphs.FOLDER
    monkeypatch.setattr(make_peak_graphs, "FOLDER", tmp_path)
    make_peak_graphs.main()
    for name in ("peak-conv.onnx", "peak-gemm.onnx"):
        onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"])
        assert (shipped / name).read_bytes() == (tmp_path / name).read_bytes()


def test_int8s_price_is_stated_for_every_scale(tmp_path: Path) -> None:
    for index in range(3):
        Image.fromarray(scene(index, 96, 96)).save(tmp_path / f"{index}.png")
    words = ["diinn-nano", str(tmp_path), "--scales", "1.5,2", "--every", "2", "--side", "80"]
    found = answer("int8_loss.py", *words, "--backend", "onnxruntime", "--json")
    assert set(found) == {"1.5", "2"}
    for entry in found.values():
        assert entry["pictures"] == 2
        assert entry["mean_db"] <= entry["worst"]["db"] < 3
        assert entry["worst"]["picture"] in ("0.png", "2.png")


def test_compressed_video_is_compared_with_lanczos(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "bunny.mp4").symlink_to(ROOT / "tests" / "samples" / "bunny.mp4")
    words = [
        str(tmp_path),
        "diinn-nano",
        "diinn-edge-video",
        "--codecs",
        "x264",
        "--qualities",
        "30",
        "--json",
    ]
    found = answer("compressed_video.py", *words)
    (row,) = found["rows"]
    assert (row["clip"], row["coding"], row["quality"], row["codec"]) == ("bunny", "x264", 30, "h264")
    assert row["quantiser"] == pytest.approx(30, abs=5)
    assert row["bits_per_pixel"] > 0
    network, lanczos = row["diinn-edge-video"], row["lanczos"]
    assert network["psnr_y"] > lanczos["psnr_y"] > 20
    assert network["temporal_error"] > 0
    if lanczos["vmaf"] is not None:
        assert network["vmaf"] > lanczos["vmaf"]
        assert min(network["xpsnr"], lanczos["xpsnr"]) > 10
    assert all(ratio > 0.5 for ratio in found["flicker"]["lanczos"])


def test_compressed_video_names_a_codec_it_does_not_know(tmp_path: Path) -> None:
    done = run("compressed_video.py", str(tmp_path), "--codecs", "theora")
    assert done.returncode == 2
    assert "no codec 'theora'" in done.stderr


def test_int8s_gain_is_held_against_amdahls_law() -> None:
    words = ["diinn-nano", "--input-size", "48x32", "--rounds", "1", "--json"]
    found = answer("int8_speed.py", *words)["diinn-nano"]
    assert {"fp32", "int8"} == {row["precision"] for row in found["rows"]}
    gain = found["gain"]
    expected = 1 / (1 - gain["encoder_share"] + gain["encoder_share"] / gain["encoder"])
    assert gain["amdahl"] == pytest.approx(expected)
    assert gain["of_amdahl"] == pytest.approx(gain["frame"] / gain["amdahl"])


def test_a_made_hdr_clip_is_pq_and_its_white_is_the_peak(tmp_path: Path) -> None:
    white, made = tmp_path / "white.mkv", tmp_path / "pq.mkv"
    with av.open(str(white), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((24, 32, 3), 255, np.uint8))))
        container.mux(stream.encode(None))
    assert run("make_hdr_clip.py", str(white), str(made), "--peak", "1000").returncode == 0
    with Film(str(made)) as film:
        assert (film.info.colour.transfer, film.info.colour.matrix, film.info.layout.name) == (
            16,
            9,
            "yuv444p10le",
        )
        pixels = ToRgb(film.info.colour, film.info.layout)(next(iter(film.frames())).frame)
    np.testing.assert_allclose(pq_to_nits(pixels), 1000, rtol=0.02)
