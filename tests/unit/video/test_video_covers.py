"""Covers, which MP4 keeps in a table of tags and MOV not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition
from support.films import Making, make_film
from support.upscaling import run

from edge_sr.errors import MediaError


def covered(path: Path, **metadata: str) -> Path:
    """A film with a cover, and tags of iTunes' own or anyone's."""
    with av.open(str(path), "w") as file:
        file.metadata.update(metadata)
        picture: Any = file.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        cover: Any = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        for stream, count in ((cover, 1), (picture, 5)):
            context = stream.codec_context
            for index in range(count):
                frame = av.VideoFrame(context.width, context.height, context.pix_fmt)
                frame.pts, frame.time_base = index, Fraction(1, 25)
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return path


def test_tags_in_itunes_own_table_stay_beside_a_cover(tmp_path: Path) -> None:
    tags = {"title": "x", "media_type": "9", "hd_video": "1", "season_number": "2", "keywords": "a"}
    run(covered(tmp_path / "in.mp4", **tags), tmp_path / "out.mp4", strict=True)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert tags.items() <= file.metadata.items()
        assert len(file.streams.video) == 2


def test_tags_that_mp4_has_no_table_for_make_room_for_the_cover(tmp_path: Path) -> None:
    with av.open(str(covered(tmp_path / "cover.mp4"))) as file:
        cover = next(bytes(packet) for packet in file.demux(file.streams.video[1]) if packet.size)
    attached = ("cover.jpg", "image/jpeg", cover)
    source = make_film(
        tmp_path / "in.mkv", Making(frames=3, metadata={"firmware": "9"}, attachments=(attached,))
    )
    assert run(source, tmp_path / "out.mp4").dropped == ("metadata 'FIRMWARE' of the film",)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.video[1].disposition & Disposition.attached_pic


def test_a_cover_that_mov_cannot_hold_is_named(tmp_path: Path) -> None:
    source = covered(tmp_path / "in.mp4")
    assert run(source, tmp_path / "out.mov").dropped == ("cover track 1 (mjpeg)",)
    with pytest.raises(MediaError, match="cover track 1"):
        run(source, tmp_path / "strict.mov", strict=True)


def test_a_track_that_the_muxer_leaves_out_in_silence_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As QuickTime's keys have FFmpeg leave out a cover."""
    from edge_sr.video.mux import mux as muxing

    source = covered(tmp_path / "in.mp4")
    monkeypatch.setattr(muxing, "muxer_options", lambda *a, **k: {"movflags": "+use_metadata_tags"})
    assert run(source, tmp_path / "out.mp4").dropped == ("cover track 1 (mjpeg)",)
