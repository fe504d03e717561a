"""Files of several pictures: a TIFF's pages stay pages, an animated WebP or AVIF becomes a film."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.films import frame_pixels, frame_times
from support.images import write_tiff
from support.upscaling import Listener, nano_request

from edge_sr.errors import MediaError, OptionError, OutputExistsError
from edge_sr.tensors import reference_card
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.upscale import upscale
from edge_sr.video.image.files.tiff_pages import read_pages
from edge_sr.video.image.read import read_still

SIZES = ((24, 16), (32, 20), (16, 24))


def _run(
    source: Path, output: Path | None = None, controls: Controls | None = None, **changes: Any
) -> Report:
    return upscale(nano_request(source, output, **{"scale": Fraction(2), **changes}), controls)


def _cards() -> list[Image.Image]:
    noise = np.random.default_rng(0)
    return [
        Image.fromarray(noise.integers(0, 255, (height, width, 3)).astype(np.uint8))
        for width, height in SIZES
    ]


def _scan(path: Path, **options: Any) -> Path:
    first, *rest = _cards()
    first.save(path, save_all=True, append_images=rest, **options)
    return path


def _pages(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        found = []
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            found.append(np.asarray(image))
        return found


@pytest.mark.parametrize(
    "options", [{}, {"compression": "tiff_lzw"}, {"big_tiff": True}, {"dpi": (300, 300)}], ids=str
)
def test_each_page_is_what_it_is_alone(tmp_path: Path, options: dict[str, Any]) -> None:
    report = _run(_scan(tmp_path / "scan.tif", **options))
    assert report.output == str(tmp_path / "scan-48x32.tif") and report.frames == 3
    for number, (card, page) in enumerate(zip(_cards(), _pages(Path(report.output)), strict=True)):
        card.save(tmp_path / f"{number}.tif")
        alone = _pages(Path(_run(tmp_path / f"{number}.tif", tmp_path / f"{number}-large.tif").output))
        assert np.array_equal(page, alone[0])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_pages_of_16_bits_and_of_grey_stay_so(tmp_path: Path) -> None:
    deep = Image.fromarray(np.linspace(0, 65535, 24 * 16).reshape(16, 24).astype(np.uint16))
    deep.save(tmp_path / "scan.tif", save_all=True, append_images=[_cards()[0].convert("L")])
    one, other = _pages(Path(_run(tmp_path / "scan.tif").output))
    assert (one.dtype, one.shape) == (np.dtype(np.uint16), (32, 48))
    assert (other.dtype, other.shape) == (np.dtype(np.uint8), (32, 48))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_that_says_so_in_two_bytes_is_none_either(tmp_path: Path, order: str) -> None:
    path, card = tmp_path / "scan.tif", reference_card(24, 16)
    write_tiff(path, card, {254: 1}, order)
    data = bytearray(path.read_bytes())
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, place)
    directory = bytes(data[place : place + 2 + 12 * count + 4])
    struct.pack_into(f"{order}I", data, place + len(directory) - 4, len(data))
    path.write_bytes(data + directory)
    pages = read_pages(path)
    assert pages is not None and len(pages) == 1
    assert np.array_equal(read_still(path).pixels, card)


def test_thumbnails_are_no_pages(tmp_path: Path) -> None:
    path = _scan(tmp_path / "scan.tif", tiffinfo={254: 0})
    pages = read_pages(path)
    assert pages is not None and len(pages) == 3
    data = bytearray(path.read_bytes())
    place = pages.pages[1].place
    entry = next(
        place + 2 + 12 * k for k in range(9) if data[place + 2 + 12 * k : place + 4 + 12 * k] == b"\xfe\0"
    )
    data[entry + 8 : entry + 12] = struct.pack("<I", 1)
    path.write_bytes(data)
    assert _run(path).frames == 2


def test_only_a_tiff_takes_pages(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"holds 3 pages.*name a \.tif"):
        _run(_scan(tmp_path / "scan.tif"), tmp_path / "out.png")


def test_a_page_that_fails_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    tiny = Image.new("RGB", (2, 2))
    _cards()[0].save(tmp_path / "scan.tif", save_all=True, append_images=[tiny])
    with pytest.raises(MediaError, match=r"found page 2 of scan\.tif of 2x2"):
        _run(tmp_path / "scan.tif", tmp_path / "out.tif")
    assert {path.name for path in tmp_path.iterdir()} == {"scan.tif"}


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    scan, output = _scan(tmp_path / "scan.tif"), tmp_path / "out.tif"
    _run(scan, output)
    with pytest.raises(OutputExistsError):
        _run(scan, output)
    assert _run(scan, output, resume=True).was_done
    assert _run(scan, output, overwrite=True).frames == 3


def test_another_result_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    scan, output = _scan(tmp_path / "scan.tif"), tmp_path / "out.tif"
    _run(scan, output)
    with pytest.raises(OutputExistsError, match=r"3 pages, the first of 48x32 where .* the first of 72x48"):
        _run(scan, output, resume=True, scale=Fraction(3))
    _cards()[0].resize((48, 32)).save(output)
    with pytest.raises(OutputExistsError, match=r"1 page, .* where this run makes 3 pages"):
        _run(scan, output, resume=True)
    output.write_bytes(b"no picture")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        _run(scan, output, resume=True)


def test_a_chain_of_pages_that_loops_ends(tmp_path: Path) -> None:
    path = _scan(tmp_path / "scan.tif")
    pages = read_pages(path)
    assert pages is not None
    data = bytearray(path.read_bytes())
    last, first = pages.pages[-1], pages.pages[0]
    data[last.next_pointer : last.next_pointer + 4] = struct.pack("<I", first.place)
    path.write_bytes(data)
    again = read_pages(path)
    assert again is not None and len(again) == 3


def test_an_animated_webp_becomes_a_film_of_its_times(tmp_path: Path) -> None:
    path, frames = tmp_path / "move.webp", [card.resize((24, 16)) for card in _cards()]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 300, 200], lossless=True)
    report = _run(path)
    assert report.output == str(tmp_path / "move-48x32.mkv") and report.frames == 3
    assert frame_times(Path(report.output)) == [0, Fraction(1, 10), Fraction(2, 5)]
    assert {each.name for each in tmp_path.iterdir()} == {"move.webp", "move-48x32.mkv"}


@pytest.mark.parametrize(("mode", "codec"), [("RGB", "x264"), ("RGBA", "ffv1")])
def test_an_animated_avif_becomes_a_film_with_its_alpha(tmp_path: Path, mode: str, codec: str) -> None:
    """FFmpeg lists the still that stands for it first, and alpha as a track of its own."""
    path = tmp_path / "move.avif"
    frames = [Image.new(mode, (32, 24), (40 * index, 90, 9, 60 * index)[: len(mode)]) for index in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 300, 200, 200])
    report = _run(path, tmp_path / "out.mkv", codec=codec)
    assert report.frames == 4 and report.dropped == ()
    assert frame_times(tmp_path / "out.mkv") == [0, Fraction(1, 10), Fraction(2, 5), Fraction(3, 5)]
    shown = [picture[0, 0].tolist() for picture in frame_pixels(tmp_path / "out.mkv", "rgba")]
    assert [pixel[0] for pixel in shown] == pytest.approx([0, 40, 80, 120], abs=6)
    wanted = [0, 60, 120, 180] if mode == "RGBA" else [255] * 4
    assert [pixel[3] for pixel in shown] == pytest.approx(wanted, abs=6)


def test_the_transparency_of_an_animation_is_named(tmp_path: Path) -> None:
    path, frames = (
        tmp_path / "move.webp",
        [Image.new("RGBA", (16, 16), (9, 9, 9, level)) for level in (90, 255)],
    )
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    heard = Listener()
    _run(path, tmp_path / "out.mkv", Controls(heard))
    assert [text for text in heard.said if "transparency" in text]


def test_an_animation_that_is_cut_short_is_a_media_error(tmp_path: Path) -> None:
    path, frames = tmp_path / "move.webp", [card.resize((24, 16)) for card in _cards()]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(MediaError):
        _run(path, tmp_path / "out.mkv")
    assert {each.name for each in tmp_path.iterdir()} == {"move.webp"}
