"""``edge-sr upscale`` as it is called: sizes, names, JSON, exit codes."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image
from support.calling import Answer, Command
from support.films import Making, frame_pixels, frame_times, make_film, packets

from edge_sr.cli.terminal.progress import clock, progress_line
from edge_sr.cli.upscale_request import command_to_go_on
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler
from edge_sr.video.film.info import parse_time

Upscale = Callable[..., Answer]


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Upscale:
    monkeypatch.chdir(tmp_path)
    command = Command("upscale", monkeypatch, capsys)
    return lambda *words: command(*words, "--model", "diinn-nano")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=6, audio=("eng",)))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(reference_card(31, 23)).save(path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        return container.streams.video[0].width, container.streams.video[0].height


def test_the_json_of_a_film(upscale: Upscale, film: Path) -> None:
    answer = upscale(film, "--scale", "2.5", "--json")
    assert answer.code == 0
    found = answer.json
    assert found["output"] == str(film.with_name("film-80x60.mp4"))
    assert (found["frames"], found["input_size"], found["output_size"]) == (6, [32, 24], [80, 60])
    assert (found["model"], found["codec"], found["bad_frames"]) == ("diinn-nano", "x264", 0)
    for key in ("seconds", "fps", "encoder_ms", "decoder_ms", "peak_rss_mb"):
        assert found[key] > 0
    assert {"backend", "encoder_backend", "precision"} <= found.keys()
    assert frame_times(film.with_name("film-80x60.mp4")) == frame_times(film)


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (["--scale", "1.37"], (44, 34)),  # 43.84 -> 44; 32.88 -> 33, up to 34
        (["--height", "49"], (66, 50)),  # 65 x 49, both up to even
        (["--size", "40x36"], (40, 36)),
        (["--scale", "1"], (32, 24)),
    ],
)
def test_sizes_of_films_go_up_to_even(
    upscale: Upscale, film: Path, words: list[str], size: tuple[int, int]
) -> None:
    answer = upscale(film, *words, "--json")
    assert answer.json["output_size"] == list(size)
    assert size_of(film.with_name(f"film-{size[0]}x{size[1]}.mp4")) == size
    if size not in ((40, 36), (32, 24)):
        assert "goes up to" in answer.err


def test_sizes_of_pictures_stay_odd(upscale: Upscale, picture: Path) -> None:
    assert upscale(picture, "--scale", "1.5", "--json").json["output_size"] == [47, 35]
    assert upscale(picture, "--height", "47", "--json").json["output_size"] == [63, 47]


def test_a_region_is_that_crop_of_the_whole(upscale: Upscale, picture: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.png", tmp_path / "part.png"
    upscale(picture, "-o", whole, "--scale", "2.7")
    upscale(picture, "-o", part, "--scale", "2.7", "--region", "5,3,11,9")
    before, after = (31, 23), (84, 62)

    def edge(place: int, axis: int) -> int:
        return (2 * place * after[axis] + before[axis]) // (2 * before[axis])

    crop = np.asarray(Image.open(whole))[edge(3, 1) : edge(12, 1), edge(5, 0) : edge(16, 0)].astype(int)
    assert (np.abs(np.asarray(Image.open(part)) - crop) > 1).mean() < 0.001
    assert np.abs(np.asarray(Image.open(part)) - crop).max() <= 1


def test_tta_is_said_and_averages_eight_passes(upscale: Upscale, picture: Path, tmp_path: Path) -> None:
    out, plain = tmp_path / "eight.png", tmp_path / "one.png"
    words = ("--scale", "2", "--backend", "onnxruntime", "--precision", "fp32")
    assert upscale(picture, "-o", out, *words, "--tta", "--json").json["tta"] is True
    assert "tta" not in upscale(picture, "-o", plain, *words, "--json").json
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", tta=True) as upscaler:
        expected = upscaler(np.asarray(Image.open(picture)), scale=2)
    assert np.array_equal(np.asarray(Image.open(out)), expected)
    assert not np.array_equal(np.asarray(Image.open(plain)), expected)


def test_an_odd_region_of_a_film_grows_by_pixels_that_exist(
    upscale: Upscale, film: Path, tmp_path: Path
) -> None:
    whole, part = tmp_path / "whole.mkv", tmp_path / "part.mkv"
    lossless = ["--codec", "ffv1", "--scale", "1.5"]
    upscale(film, "-o", whole, *lossless)
    answer = upscale(film, "-o", part, *lossless, "--region", "30,22,2,2", "--json")
    assert answer.json["output_size"] == [4, 4]
    for one, other in zip(frame_pixels(whole, "gray"), frame_pixels(part, "gray"), strict=True):
        assert np.abs(one[-4:, -4:].astype(int) - other).max() <= 1


def test_start_and_duration_cut_picture_and_sound(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=50, audio=("eng",)))
    output = tmp_path / "part.mp4"
    assert upscale(film, "-o", output, "--scale", "1", "--start", "0.48", "--duration", "0:0.4").code == 0
    assert frame_times(output) == [Fraction(index, 25) for index in range(10)]
    times = [time for time, _ in packets(output, "audio")[0]]
    assert 0 <= times[0] < Fraction(1, 10)
    assert times[-1] < Fraction(4, 10)


def test_a_container_that_is_not_written_becomes_matroska(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", Making(size=(32, 24), frames=3, codec="mpeg4"))
    assert upscale(film, "--scale", "2").code == 0
    assert size_of(tmp_path / "film-64x48.mkv") == (64, 48)


def test_what_cannot_be_held_is_named_and_strict_refuses(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "film.mkv",
        Making(size=(32, 24), frames=6, audio=("eng", "deu"), subtitles=(("words", 0, 200),)),
    )
    answer = upscale(film, "-o", "film.mp4", "--scale", "1", "--json")
    assert answer.code == 0
    assert answer.json["dropped"] == []
    assert "encoded again: subtitle track 3 (srt, eng) as mov_text" in answer.err
    assert packets(tmp_path / "film.mp4", "subtitle")[0][0][1] == b"\0\5words"
    assert len(packets(tmp_path / "film.mp4", "audio")) == 2
    assert upscale(film, "-o", "strict.mp4", "--scale", "1", "--strict").code == 4
    assert not (tmp_path / "strict.mp4").exists()
    assert upscale(film, "-o", "strict.mkv", "--scale", "1", "--strict").code == 0


def test_sound_that_begins_before_the_picture_does_not_move_it(
    upscale: Upscale, film: Path, tmp_path: Path
) -> None:
    assert packets(film, "audio")[0][0][0] < 0
    assert upscale(film, "-o", "film.mkv", "--scale", "1").code == 0
    assert frame_times(tmp_path / "film.mkv") == frame_times(film)


def with_cover(film: Path, target: Path) -> Path:
    """The film with a JPEG as its cover."""
    buffer = io.BytesIO()
    Image.fromarray(reference_card(20, 20)).save(buffer, "JPEG")
    with av.open(str(film)) as source, av.open(str(target), "w") as container:
        twins = {
            stream.index: container.add_stream_from_template(stream, opaque=True) for stream in source.streams
        }
        cover = container.add_mux_stream("mjpeg", width=20, height=20)
        cover.disposition = Disposition.attached_pic
        for packet in source.demux():
            if packet.size:
                packet.stream = twins[packet.stream_index]
                container.mux(packet)
        picture = av.Packet(buffer.getvalue())
        picture.stream, picture.pts, picture.dts, picture.time_base = cover, 0, 0, Fraction(1, 25)
        container.mux(picture)
    return target


def test_a_cover_is_kept_and_not_taken_for_the_film(upscale: Upscale, film: Path, tmp_path: Path) -> None:
    source, output = with_cover(film, tmp_path / "cover.mp4"), tmp_path / "out.mp4"
    found = upscale(source, "-o", output, "--scale", "2", "--json").json
    assert (found["frames"], found["dropped"]) == (6, [])
    with av.open(str(output)) as container:
        cover = container.streams.video[1]
        assert cover.disposition & Disposition.attached_pic
        assert (cover.width, cover.height) == (20, 20)


def test_ten_bits_stay_ten_bits(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=3, pixel_format="yuv420p10le"))
    assert upscale(film, "--scale", "2").code == 0
    with av.open(str(tmp_path / "film-64x48.mp4")) as container:
        assert next(container.decode(video=0)).format.name == "yuv420p10le"


def test_colour_tags_and_pixel_aspect_are_kept(upscale: Upscale, tmp_path: Path) -> None:
    making = Making(size=(32, 24), frames=3, colours=(6, 2, 6, 1), aspect=Fraction(12, 11))
    film = make_film(tmp_path / "film.mp4", making)
    assert upscale(film, "--scale", "2").code == 0
    with av.open(str(tmp_path / "film-64x48.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (6, 2, 6, 1)
        assert container.streams.video[0].sample_aspect_ratio == Fraction(12, 11)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["film.mp4"], 2, "exactly one of --scale, --size and --height"),
        (["film.mp4", "--scale", "2", "--height", "48"], 2, "exactly one"),
        (["film.mp4", "--scale", "nan"], 2, "finite"),
        (["film.mp4", "--scale", "0"], 2, "at least 1"),
        (["film.mp4", "--scale", "-2"], 2, "at least 1"),
        (["film.mp4", "--scale", "1e30"], 2, "between 1 and"),
        (["film.mp4", "--size", "20x20"], 2, "smaller than the input"),
        (["film.mp4", "--size", "65x49"], 2, "64x48 or 66x50"),
        (["film.mp4", "--size", "large"], 2, "--size is WIDTHxHEIGHT"),
        (["film.mp4", "--scale", "2", "--region", "1,2"], 2, "--region must be"),
        (["film.mp4", "--scale", "2", "--region", "30,0,9,9"], 2, "inside the 32x24"),
        (["film.mp4", "--scale", "2", "--start", "soon"], 2, "--start must be"),
        (["film.mp4", "--scale", "2", "--duration", "0"], 2, "longer than 0"),
        (["film.mp4", "--scale", "2", "--start", "99"], 4, "no frame"),
        (["film.mp4", "--scale", "2", "--codec", "divx"], 2, "unknown codec"),
        (["film.mp4", "--scale", "2", "--codec", "vp9", "-o", "out.mov"], 2, "MOV cannot hold VP9"),
        (["film.mp4", "--scale", "2", "-o", "out.avi"], 2, "written as one of"),
        (["film.mp4", "--scale", "2", "-o", "film.mp4"], 2, "replace its input"),
        (["film.mp4", "--scale", "2", "-o", "absent/out.mp4"], 2, "does not exist"),
        (["film.mp4", "--scale", "2", "--crf", "99"], 2, "--crf"),
        (["absent.mp4", "--scale", "2"], 4, "no such file"),
        (["absent.png", "--scale", "2", "-o", "out.png"], 4, "no such file"),
        (["words.mp4", "--scale", "2"], 4, "not a film"),
        (["words.txt", "--scale", "2", "-o", "out.png"], 4, "not a film or picture"),
        (["empty.mp4", "--scale", "2"], 4, "empty"),
        (["picture.png", "--scale", "2", "--codec", "x264"], 2, "--codec is for films"),
        (["picture.png", "--scale", "2", "-o", "out.gif"], 2, "written as one of"),
        (["words.png", "--scale", "2"], 4, "no picture that can be read"),
    ],
)
@pytest.mark.usefixtures("film", "picture")
def test_bad_calls_end_with_one_line_and_leave_nothing(
    upscale: Upscale, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    for name in ("words.mp4", "words.png", "words.txt"):
        (tmp_path / name).write_text("words")
    (tmp_path / "empty.mp4").touch()
    before = sorted(tmp_path.iterdir())
    answer = upscale(*words)
    assert answer.code == code
    assert answer.out == ""
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("edge-sr: ")
    assert message in last
    assert "Traceback" not in answer.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("option", "value"), [("--backend", "abacus"), ("--hwaccel", "fast")])
def test_a_choice_that_is_none_is_refused_with_all_there_are(
    upscale: Upscale, film: Path, option: str, value: str
) -> None:
    answer = upscale(film, "--scale", "2", option, value)
    assert answer.code == 2
    said = " ".join(answer.err.split())
    assert value in said
    assert option in said
    assert "auto" in said


def test_unknown_models_are_named(
    film: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Command("upscale", monkeypatch, capsys)(film, "--scale", "2", "--model", "nothing")
    assert answer.code == 2
    assert "diinn-edge" in answer.err
    assert "diinn-nano" in answer.err


def test_an_output_that_exists_is_kept_unless_told_otherwise(
    upscale: Upscale, film: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("dear to me")
    answer = upscale(film, "-o", output, "--scale", "2")
    assert answer.code == 2
    assert "--overwrite" in answer.err
    assert output.read_text() == "dear to me"
    assert upscale(film, "-o", output, "--scale", "2", "--overwrite").code == 0
    assert size_of(output) == (64, 48)


def test_an_hdr_film_stays_hdr_or_is_brought_to_sdr(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "hdr.mp4", Making(colours=(9, 1, 9, 16), frames=2))
    for words, transfer in (((), 16), (("--tonemap",), 1)):
        assert upscale(film, "-o", "out.mp4", "--scale", "1", "--overwrite", *words).code == 0
        with av.open(str(tmp_path / "out.mp4")) as container:
            frame = next(container.decode(video=0))
        assert (frame.color_trc, frame.format.name) == (transfer, "yuv420p10le")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", Fraction(25, 2)), ("1:02", Fraction(62)), ("1:02:03.25", Fraction(14893, 4))],
)
def test_times_are_exact(text: str, seconds: Fraction) -> None:
    assert parse_time(text, "--start") == seconds


def test_the_command_that_goes_on_is_shell_safe() -> None:
    assert command_to_go_on(["upscale", "my film.mp4", "--scale", "2"]) == (
        "edge-sr upscale 'my film.mp4' --scale 2 --resume"
    )
    assert command_to_go_on(["upscale", "a", "--resume"]) == "edge-sr upscale a --resume"


def test_progress_in_plain_words() -> None:
    assert progress_line(120, 240, 24.0) == "120 of 240 frames, 24.0 frames/s, 0:00:05 left"
    assert progress_line(120, 0, 24.0) == "120 frames, 24.0 frames/s"
    assert clock(3725.4) == "1:02:05"


def test_a_sample_film_keeps_everything(upscale: Upscale, samples: Path, tmp_path: Path) -> None:
    source, output = samples / "bunny.mp4", tmp_path / "bunny.mp4"
    found: Any = upscale(source, "-o", output, "--scale", "1.5", "--duration", "0.4", "--json").json
    assert (found["frames"], found["output_size"], found["dropped"]) == (10, [480, 270], [])
    with av.open(str(output)) as container:
        assert container.metadata["title"] == "Big Buck Bunny (excerpt)"
        assert container.streams.audio[0].metadata["language"] == "eng"
