"""Films with alpha: read from every codec that has it, enlarged as pictures' is, kept where the output can hold it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.video.format
import numpy as np
import pytest
from support.upscaling import run as upscaled

from edge_sr import Upscaler
from edge_sr.errors import MediaError
from edge_sr.upscale.dry_run import outline
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.video.film.film import Film
from edge_sr.video.film.upright import UprightReader
from edge_sr.video.frames.alpha import has_alpha, is_even, read_alpha

SIZE = (32, 24)


def alpha_of(index: int, top: int) -> np.ndarray:
    """A disc that moves over what is transparent, soft at its edge; the last frames are opaque."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    level = np.clip(9 - np.hypot(x - 10 - 2 * index, y - 12), 0, 3) / 3
    return np.rint((level if index < 3 else np.ones_like(level)) * top)


def make(path: Path, codec: str, pixel_format: str, frames: int = 4) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixel_format
        stream.codec_context.color_range = 1
        stream.codec_context.options = {
            "prores_ks": {"profile": "4444"},
            "libvpx-vp9": {"crf": "4", "b": "0", "auto-alt-ref": "0"},
        }.get(codec, {})
        if codec == "libvpx-vp9":
            stream.metadata["alpha_mode"] = "1"
        for index in range(frames):
            rgba = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
            rgba[..., :3] = np.linspace(40, 200, SIZE[0])[None, :, None]
            rgba[..., 3] = alpha_of(index, 255)
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(
                format=pixel_format, dst_color_range=1, threads=1
            )
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run(source: Path, output: Path, **changes: Any) -> Any:
    return upscaled(source, output, **{"scale": Fraction(2), **changes})


def alphas(path: Path) -> list[np.ndarray]:
    with Film(str(path)) as film:
        film.keep_alpha()
        return [read_alpha(timed.frame, np.float32) for timed in film.frames()]


def wanted(path: Path) -> list[np.ndarray]:
    """Alpha as pictures have it: a grey picture through the network, unless it is the same everywhere."""
    with Film(str(path)) as film, Upscaler("diinn-nano", backend="onnxruntime", precision="fp32") as network:
        film.keep_alpha()
        read = UprightReader(film.info, None)
        found = [read(timed.frame)[..., 3:] for timed in film.frames()]
        sides = 2 * SIZE[0], 2 * SIZE[1]
        grey = [
            np.full(sides[::-1], alpha.max(), alpha.dtype)
            if is_even(alpha)
            else network(np.repeat(alpha, 3, axis=2), size=sides)[..., 1]
            for alpha in found
        ]
    return [one / np.float32(255) if one.dtype == np.uint8 else one for one in grey]


@pytest.mark.parametrize(
    ("source", "output", "near"),
    [
        (("in.mkv", "ffv1", "yuva420p"), ("out.mkv", "ffv1", "yuva420p"), 0.0),
        (("in.mov", "prores_ks", "yuva444p10le"), ("out.mov", "prores", "yuva444p12le"), 0.001),
        (("in.webm", "libvpx-vp9", "yuva420p"), ("out.webm", None, "yuva420p"), 0.03),
        (("in.mov", "png", "rgba"), ("out.mkv", "ffv1", "yuva444p10le"), 0.001),
        (("in.mov", "qtrle", "argb"), ("out.webm", "vp9", "yuva420p"), 0.03),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)
def test_alpha_is_enlarged_and_kept(
    tmp_path: Path, source: tuple[str, str, str], output: tuple[str, str | None, str], near: float
) -> None:
    film = make(tmp_path / source[0], *source[1:])
    target = tmp_path / output[0]
    crf = {"crf": 4} if target.suffix == ".webm" else {}
    report = run(film, target, codec=output[1], strict=True, segment_frames=3, **crf)
    assert (report.frames, report.dropped) == (4, ())
    found = alphas(target)
    assert all(one.shape == (48, 64) for one in found)
    for one, other in zip(found, wanted(film), strict=True):
        assert np.abs(one - other).mean() <= near
    assert found[3].min() > 0.99
    with Film(str(target)) as made:
        assert made.info.layout.has_alpha
        assert next(made.frames()).frame.format.name == output[2]


def test_alpha_that_the_output_cannot_hold_is_named(tmp_path: Path) -> None:
    film = make(tmp_path / "in.mov", "png", "rgba", 1)
    assert any("transparency" in name for name in run(film, tmp_path / "out.mov").dropped)
    asked = Request(str(film), tmp_path / "more.mov", scale=Fraction(2), model="diinn-nano")
    assert any("transparency" in name for name in outline(asked, Controls()).tracks_lost)
    with pytest.raises(MediaError, match="transparency"):
        run(film, tmp_path / "strict.mov", strict=True)
    assert not (tmp_path / "strict.mov").exists()


# Formats that swscale does not write.
FROM_NOWHERE = ("gbrap32", "rgba128", "rgbaf", "yaf", "gbrapf16")


def formats_with_alpha() -> list[str]:
    found = (name for name in av.video.format.names if has_alpha(av.VideoFormat(name)))
    return sorted(name for name in found if not name.startswith(FROM_NOWHERE))


@pytest.mark.parametrize("pixel_format", formats_with_alpha())
def test_alpha_of_every_format_is_read_as_it_is_coded(pixel_format: str) -> None:
    """Opaque is 1 whatever the depth; the rest lies within the code that swscale, which rounds down, chose."""
    bits = min(16, max(component.bits for component in av.VideoFormat(pixel_format).components))
    given = np.full((48, 50, 4), 30000, np.uint16)
    given[..., 3] = np.arange(50) * 1337
    given[:4, :, 3] = 65535
    frame = av.VideoFrame.from_ndarray(given, format="rgba64le").reformat(format=pixel_format, threads=1)
    found = read_alpha(frame, np.float32)
    assert found[:4].min() == 1
    assert np.abs(found - given[..., 3] / 65535).max() < 1.75 / (1 << bits)
