"""What is written whole, or why it was not."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.errors import DiskFullError, EdgeSRError, OutputFolderError, ResourceError
from edge_sr.files.atomic import write_whole


@pytest.mark.skipif(sys.platform == "win32", reason="no limits here")
def test_a_file_beyond_the_largest_that_is_allowed_found_no_room(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "made"
    path.write_bytes(b"before")
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, earlier[1]))
    try:
        with pytest.raises(DiskFullError, match=r"no space left for .*made: buy a disk"):
            write_whole(path, bytes(2000), advice="buy a disk")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
    assert [found.read_bytes() for found in tmp_path.iterdir()] == [b"before"]


@pytest.mark.parametrize("place", ["file/made", "nowhere/made", "folder"])
def test_a_place_that_is_none_is_the_users_to_choose(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OutputFolderError, match="cannot be written"):
        write_whole(tmp_path / place, b"content")


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EIO, ResourceError), (errno.EROFS, OutputFolderError), (errno.EDQUOT, DiskFullError)],
)
def test_who_is_to_blame_is_told_by_the_systems_word(
    tmp_path: Path, number: int, kind: type[EdgeSRError]
) -> None:
    def content() -> Iterator[bytes]:
        yield b"begun"
        raise OSError(number, "the disk says no")

    with pytest.raises(kind) as found:
        write_whole(tmp_path / "made", content())
    assert type(found.value) is kind
    assert not any(tmp_path.iterdir())
