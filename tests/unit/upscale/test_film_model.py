"""The network that suits a film, by how far it is compressed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.upscaling import Listener

from edge_sr.bundle import shipped_bundles
from edge_sr.upscale.film_model import FOR_COMPRESSED_VIDEO, suited_model
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.film import Film


def film(path: Path, codec: str, **options: str) -> Path:
    """Twelve frames of a drifting texture."""
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(40, 216, (30, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for i in range(12):
            picture = np.ascontiguousarray(texture[i : i + 64, 2 * i : 2 * i + 96])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("crf", [10, 15, 24, 32])
def test_the_quantiser_of_h264_tells_its_quality(tmp_path: Path, crf: int) -> None:
    with Film(str(film(tmp_path / "film.mp4", "libx264", crf=str(crf)))) as opened:
        assert opened.info.quantiser == pytest.approx(crf, abs=5)
        model, why = suited_model(opened.info)
    assert model == (FOR_COMPRESSED_VIDEO if crf > 20 else "diinn-edge")
    assert f"mean QP {opened.info.quantiser:.0f}" in why


@pytest.mark.parametrize(
    ("codec", "options", "model"),
    [
        ("libvpx-vp9", {"crf": "50", "b": "0"}, FOR_COMPRESSED_VIDEO),
        ("libvpx-vp9", {"crf": "15", "b": "0"}, "diinn-edge"),
        ("mpeg2video", {"qmin": "8", "qmax": "8"}, FOR_COMPRESSED_VIDEO),
        ("mpeg2video", {"qmin": "2", "qmax": "2"}, FOR_COMPRESSED_VIDEO),
        ("mpeg2video", {"qmin": "1", "qmax": "1"}, "diinn-edge"),
    ],
)
def test_vp9_and_mpeg2_tell_their_quantiser_too(
    tmp_path: Path, codec: str, options: dict[str, str], model: str
) -> None:
    with Film(str(film(tmp_path / "film.mkv", codec, **options))) as opened:
        assert opened.info.quantiser is not None
        chosen, why = suited_model(opened.info)
    assert chosen == model
    assert "mean QP" in why


@pytest.mark.parametrize(("crf", "compressed"), [("45", True), ("4", False)])
def test_hevc_goes_by_its_bits(tmp_path: Path, crf: str, compressed: bool) -> None:
    options = {"crf": crf, "x265-params": "log-level=none"}
    with Film(str(film(tmp_path / "film.mp4", "libx265", **options))) as opened:
        info = opened.info
        assert (info.codec, info.quantiser) == ("hevc", None)
        assert info.bits_per_pixel > 0
        assert (suited_model(info)[0] == FOR_COMPRESSED_VIDEO) is compressed


def test_a_codec_that_was_not_measured_goes_to_the_default(tmp_path: Path) -> None:
    with Film(str(film(tmp_path / "film.mkv", "mpeg4"))) as opened:
        model, why = suited_model(opened.info)
    assert model == "diinn-edge"
    assert why == "compression unknown: mpeg4; override with --model diinn-edge-video"


def test_both_networks_are_shipped() -> None:
    assert {"diinn-edge", FOR_COMPRESSED_VIDEO} <= {bundle.name for bundle in shipped_bundles()}


def test_upscale_takes_it_and_says_so(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", "libx264", crf="30")
    request = Request(
        str(source), tmp_path / "out.mp4", scale=Fraction(3, 2), backend="onnxruntime", precision="fp32"
    )
    report = upscale(request, Controls(listener := Listener()))
    assert report.model == FOR_COMPRESSED_VIDEO
    assert any(
        text.startswith("model: diinn-edge-video (compressed video: H.264, mean QP ")
        and text.endswith("; override with --model diinn-edge)")
        for text in listener.said
    )
