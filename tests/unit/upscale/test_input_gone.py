"""An input that goes or changes while it is worked on: what was made plays, and is not gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.films import Making, frame_times, make_film
from support.upscaling import At, nano_request

from edge_sr.errors import EdgeSRError, OptionError
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.identity import input_identity
from edge_sr.video.protocols import files_of_list

FRAMES = 12


def _request(source: Path, output: Path, **changes: Any) -> Request:
    return nano_request(source, output, **{"segment_frames": 4, **changes})


def test_the_picture_is_joined_where_the_input_is_gone(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=FRAMES, audio=("aac",)))
    watcher = At(FRAMES, film.unlink)
    with pytest.raises(EdgeSRError, match=r"out\.partial\.mkv plays what was made so far"):
        upscale(_request(film, tmp_path / "out.mkv"), Controls(watcher))
    assert len(frame_times(tmp_path / "out.partial.mkv")) == FRAMES
    assert not (tmp_path / "out.mkv").exists()


@pytest.fixture
def playlist(tmp_path: Path) -> Path:
    parts = [make_film(tmp_path / f"{name}.ts", Making(size=(32, 24), frames=FRAMES)) for name in "ab"]
    path = tmp_path / "list.m3u8"
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1"]
    path.write_text("\n".join([*lines, *(f"#EXTINF:0.48,\n{part.name}" for part in parts), "#EXT-X-ENDLIST"]))
    return path


def test_a_playlist_is_not_gone_on_with_when_one_of_its_files_changed(tmp_path: Path, playlist: Path) -> None:
    output, controls = tmp_path / "out.mkv", Controls()
    with pytest.raises(EdgeSRError, match="go on with"):
        upscale(_request(playlist, output), Controls(At(6, controls.stop.set), controls.stop))
    shutil.copy(playlist, tmp_path / "other.m3u8")
    make_film(tmp_path / "b.ts", Making(size=(32, 24), frames=FRAMES + 2))
    with pytest.raises(OptionError, match="files of the list changed"):
        upscale(_request(playlist, output, resume=True))


def test_every_file_of_a_list_counts(tmp_path: Path) -> None:
    for name in ("a.ts", "b's.ts", "c.ts"):
        (tmp_path / name).write_bytes(name.encode())
    inner, outer, concat = tmp_path / "inner.m3u8", tmp_path / "outer.m3u8", tmp_path / "list.ffconcat"
    inner.write_text("#EXTM3U\na.ts\nb's.ts\nhttp://example.org/d.ts\nnone.ts\n")
    outer.write_text("#EXTM3U\ninner.m3u8\nouter.m3u8\n")
    concat.write_text("ffconcat version 1.0\nfile 'b'\\''s.ts'\nduration 1\nfile c.ts\n")
    assert [path.name for path in files_of_list(outer)] == ["a.ts", "b's.ts", "inner.m3u8", "outer.m3u8"]
    assert [path.name for path in files_of_list(concat)] == ["b's.ts", "c.ts"]
    assert files_of_list(tmp_path / "a.ts") == []
    before = input_identity(str(outer))
    (tmp_path / "a.ts").write_bytes(b"longer")
    assert input_identity(str(outer)) != before
