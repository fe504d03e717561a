"""An encoded film in segments of a fixed number of frames, each a file that is whole or absent.

Every segment comes from an encoder of its own, so a segment depends on nothing but its frames: a run that was cut
off and gone on with makes the same segments as one that was not.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.files.atomic import writing
from edge_sr.files.durable import to_disk
from edge_sr.video.encode.encoding import Encoding
from edge_sr.video.encode.segment_encoder import Captions, EncodeSettings, SegmentEncoder
from edge_sr.video.timed import Timed

if TYPE_CHECKING:
    import av

SEGMENT_NAME = r"(\d{6,})_(-?\d+)_(-?\d+)\.(?:mp4|mov|nut|mkv)"
_NAME = re.compile(SEGMENT_NAME)
# A segment holds about this many output pixels, within a limit either way.
PIXELS = 1 << 28


def frames_per_segment(encoding: Encoding) -> int:
    """How many frames a segment holds: 120 up to 1080p, fewer where each is large or stands alone."""
    if encoding.codec.intra:
        return 16
    width, height = encoding.size
    return min(120, max(16, PIXELS // (width * height)))


@dataclasses.dataclass(frozen=True)
class Segment:
    """A finished segment. Its file begins at time 0; ``first_pts`` is that of its first frame in the film, ``end_pts``
    when its last frame has been shown."""

    path: Path
    index: int
    first_pts: int
    end_pts: int


def present_segments(folder: Path) -> dict[int, Segment]:
    """All the segments in ``folder`` by their number in the film, whether or not those before them are there."""
    found = {}
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match and path.is_file() and not path.is_symlink():
            found[int(match[1])] = Segment(path, *map(int, match.groups()))
    return found


def finished_segments(folder: Path) -> list[Segment]:
    """The segments from the first on without a gap, in order."""
    found = present_segments(folder)
    segments: list[Segment] = []
    while len(segments) in found:
        segments.append(found[len(segments)])
    return segments


def gaps(present: Iterable[int]) -> list[tuple[int, int | None]]:
    """What is missing among numbers from 0 on: each gap's first and the number after its last, None at the end."""
    found: list[tuple[int, int | None]] = []
    following = 0
    for number in sorted(present):
        if number > following:
            found.append((following, number))
        following = number + 1
    return [*found, (following, None)]


def segment_name(number: int, first_pts: int, end_pts: int, suffix: str) -> str:
    """The file name of a finished segment, which says all that ``Segment`` does; ``suffix`` with its dot."""
    return f"{number:06d}_{first_pts}_{end_pts}{suffix}"


class SegmentWriter:
    """Encodes frames into segments of ``length`` frames in ``folder``.

    ``finish`` completes the last segment, ``suspend`` writes an unfinished one under a name that is no segment's,
    and ``salvage`` what there is room for of it. ``captions`` are taken from as frames are encoded; ``finished`` is
    told of each segment that is whole, and of how many frames. Raises ``DiskFullError`` or ``ResourceError``.
    """

    def __init__(
        self,
        folder: Path,
        recipe: EncodeSettings,
        length: int,
        captions: Captions | None = None,
        finished: Callable[[Segment, int], None] = lambda segment, frames: None,
    ) -> None:
        self._tell = finished
        self._folder = folder
        self._recipe = recipe
        self._length = length
        self._captions = {} if captions is None else captions
        self._current: SegmentEncoder | None = None

    def write(self, frame: Timed[av.VideoFrame]) -> None:
        """Encodes one frame; completes the segment when it is the segment's last."""
        with writing(str(self._folder)):
            if self._current is None:
                path = self._folder / f"unfinished.{self._recipe.encoding.segment_suffix}"
                self._current = SegmentEncoder(path, frame, self._recipe, self._captions)
            self._current.encode(frame)
        if (frame.index + 1) % self._length == 0:
            self.finish()

    def finish(self) -> Segment | None:
        """Completes the segment that is on its way, if there is one."""
        segment = self._current
        if segment is None:
            return None
        with writing(str(self._folder)):
            segment.save()
            number = segment.index // self._length
            name = segment_name(number, segment.first_pts, segment.end_pts, segment.path.suffix)
            path = segment.path.replace(self._folder / name)
            to_disk(self._folder)
        self._current = None
        finished = Segment(path, number, segment.first_pts, segment.end_pts)
        self._tell(finished, segment.frames)
        return finished

    def suspend(self) -> Segment | None:
        """Writes the segment as it is; playable, but not among ``finished_segments``."""
        segment, self._current = self._current, None
        if segment is None:
            return None
        with writing(str(self._folder)):
            segment.save()
        return Segment(segment.path, segment.index, segment.first_pts, segment.end_pts)

    def salvage(self) -> Segment | None:
        """After an error: as much of the segment as can be written, None when nothing can."""
        segment, self._current = self._current, None
        if segment is None or not segment.salvage():
            return None
        return Segment(segment.path, segment.index, segment.first_pts, segment.end_pts)
