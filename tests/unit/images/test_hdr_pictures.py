"""HDR pictures: PNG's cICP and HEIF's nclx, kept with their depth or brought to SDR."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.upscaling import run as upscaled

from edge_sr.errors import OptionError
from edge_sr.upscale.run.report import Report
from edge_sr.video.frames.tonemap import nits_to_pq
from edge_sr.video.image.files.exif import Tags
from edge_sr.video.image.files.png_chunks import kept_chunks
from edge_sr.video.image.formats import output_format
from edge_sr.video.image.metadata import Metadata
from edge_sr.video.image.read import read_still
from edge_sr.video.image.still import Still
from edge_sr.video.image.write import write_still
from edge_sr.video.opening import open_encoder

PQ_CICP = bytes([9, 16, 0, 1])
NITS = (1, 100, 1000)


def pq_png(path: Path) -> Path:
    """Three grey bars of 16 bits, described as BT.2020 and PQ."""
    signal = np.repeat(nits_to_pq(np.float32(NITS)), 10)[None, :, None].repeat(24, 0).repeat(3, 2)
    rows = np.rint(signal * 65535).astype(">u2")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 30, 24, 16, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"cICP", PQ_CICP), chunk(b"IDAT", data), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def run(source: Path, output: Path, **changes: Any) -> Report:
    return upscaled(source, output, **{"scale": Fraction(2), **changes})


def test_a_pq_png_keeps_levels_depth_and_description(tmp_path: Path) -> None:
    source, output = pq_png(tmp_path / "hdr.png"), tmp_path / "out.png"
    assert read_still(source).hdr_transfer == 16
    assert run(source, output, strict=True).dropped == ()
    assert kept_chunks(output)[b"cICP"] == PQ_CICP
    found = read_still(output).pixels
    assert found.dtype == np.float32
    for index, nits in enumerate(NITS):
        assert (
            np.abs(found[12:-12, index * 20 + 8 : index * 20 + 12] - nits_to_pq(np.float32(nits))).max()
            < 2e-3
        )


def test_a_pq_picture_is_written_as_avif_of_ten_bits(tmp_path: Path) -> None:
    source, output = pq_png(tmp_path / "hdr.png"), tmp_path / "out.avif"
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("this FFmpeg has no encoder of AV1")
    assert run(source, output, scale=Fraction("1.9"), strict=True).dropped == ()
    found = read_still(output)
    assert found.pixels.shape == (46, 57, 3)
    assert (found.hdr_transfer, found.pixels.dtype) == (16, np.float32)
    for index, nits in enumerate(NITS):
        flat = found.pixels[12:-12, index * 19 + 8 : index * 19 + 11]
        assert np.abs(flat - nits_to_pq(np.float32(nits))).max() < 4e-3


@pytest.mark.parametrize("alpha", [False, True])
def test_a_pq_picture_is_written_as_heic_of_twelve_bits(tmp_path: Path, alpha: bool) -> None:
    pytest.importorskip("pillow_heif")
    signal = np.repeat(nits_to_pq(np.float32(NITS)), 10)[None, :, None].repeat(24, 0).repeat(3, 2)
    exif = Tags({271: "maker"})
    still = Still(
        signal,
        signal[..., 0] if alpha else None,
        metadata=Metadata(exif=exif, xmp=b"<x:xmpmeta/>", chunks={b"cICP": PQ_CICP}),
    )
    assert write_still(still, tmp_path / "out.heic", output_format(tmp_path / "out.heic")) == []
    found = read_still(tmp_path / "out.heic")
    assert (found.hdr_transfer, found.metadata.primaries, found.pixels.dtype) == (16, 9, np.float32)
    assert np.abs(found.pixels - signal)[:, [5, 15, 25]].max() < 2e-3
    assert found.metadata.exif is not None
    assert found.metadata.exif.main[271] == "maker"
    assert (found.alpha is not None) == alpha
    if found.alpha is not None:
        assert np.abs(found.alpha - signal[..., 0])[:, [5, 15, 25]].max() < 2e-3


def test_hdr_never_becomes_eight_bits_in_silence(tmp_path: Path) -> None:
    source = pq_png(tmp_path / "hdr.png")
    with pytest.raises(OptionError, match="JPEG holds 8 bits"):
        run(source, tmp_path / "out.jpg")
    run(source, tmp_path / "sdr.jpg", tonemap=True, strict=True)
    with Image.open(tmp_path / "sdr.jpg") as image:
        row = np.asarray(image)[24, [10, 30, 50], 1].astype(float)
    assert row[0] < 40 < row[1] < row[2]
    assert row[1] == pytest.approx(255 * (100 / 203) ** (1 / 2.4), abs=20)
    assert row[2] > 245


def test_a_pq_avif_becomes_a_png_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "hdr.avif"
    try:
        with av.open(str(path), "w", format="avif") as container:
            stream: Any = container.add_stream("libsvtav1", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 16, 2
            frame = av.VideoFrame(64, 64, "yuv420p10le")
            for plane in frame.planes:
                plane.update(np.full(plane.buffer_size // 2, 512, np.uint16).tobytes())
            open_encoder(context)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.error.FFmpegError, ValueError):
        pytest.skip("this FFmpeg writes no AVIF")
    run(path, tmp_path / "out.png")
    assert kept_chunks(tmp_path / "out.png")[b"cICP"] == PQ_CICP
    assert read_still(tmp_path / "out.png").pixels.dtype == np.float32


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_wide_colours_stay_what_they_are_in_an_avif_of_eight_bits(tmp_path: Path, mode: str) -> None:
    """Display P3's primaries with sRGB's transfer, as phones take pictures."""
    pytest.importorskip("PIL._avif")
    source, output, p3 = tmp_path / "p3.png", tmp_path / "out.avif", bytes([12, 13, 0, 1])
    picture = Image.new("RGBA", (32, 24), (200, 40, 90, 120)).convert(mode)
    info = PngInfo()
    info.add(b"cICP", p3)
    picture.save(source, pnginfo=info)
    assert write_still(read_still(source), output, output_format(output)) == []
    found = read_still(output)
    assert found.metadata.chunks == {b"cICP": p3}
    assert np.abs(found.pixels.astype(int) - read_still(source).pixels).max() <= 2
