"""How the two pictures of a 3D film lie in its frames, in Matroska's words, and in x264's.

Those that lie apart stay 3D when they are enlarged; woven into each other line by line they do not.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from edge_sr.video.frames.side_data import side_data

if TYPE_CHECKING:
    import av

# Matroska's tag of a picture that is 3D, as FFmpeg names it.
STEREO_MODE = "stereo_mode"
FLAT = "mono"
MARK_OF_3D = "the mark of a 3D film"
# FFmpeg's number of the arrangement, and whether the right eye's picture comes first (AVStereo3D).
ARRANGED = {(1, 0): "left_right", (1, 1): "right_left", (2, 0): "top_bottom", (2, 1): "bottom_top"}
# H.264's frame packing arrangement, without the word for which eye comes first.
OF_X264 = {"left_right": 3, "top_bottom": 4}


def read_stereo(frame: av.VideoFrame, tags: dict[str, str]) -> str | None:
    """By the track's ``tags`` or the frame itself; None for a flat film and for what Matroska has no word for."""
    if STEREO_MODE in tags:
        return None if tags[STEREO_MODE] == FLAT else tags[STEREO_MODE]
    found = side_data(frame).get("STEREO3D")
    return None if found is None else ARRANGED.get(struct.unpack_from("=2i", bytes(found)))


def keeps_stereo(stereo: str | None, container: str, codec: str) -> bool:
    """Whether a film of that codec in that container says it: WebM knows four words."""
    if stereo is None:
        return False
    by_container = container == "mkv" or (container == "webm" and stereo in ARRANGED.values())
    return by_container or (codec == "x264" and stereo in OF_X264)


def stereo_words(codec: str, stereo: str | None) -> tuple[str, str] | None:
    """The encoder's option that says it, and its value; None where it has none."""
    if codec != "x264" or stereo not in OF_X264:
        return None
    return "x264-params", f"frame-packing={OF_X264[stereo]}"
