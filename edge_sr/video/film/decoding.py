"""Packets to progressive frames; what cannot be decoded is counted and gone past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from edge_sr.video.film.crop import Cropper, crop_of
from edge_sr.video.film.deinterlace import Deinterlacer
from edge_sr.video.film.info import TRANSPARENCY
from edge_sr.video.film.pixel_aspects import PixelAspects
from edge_sr.video.frames.alpha import decoder_with_alpha, is_transparent
from edge_sr.video.frames.colour_profile import is_srgb
from edge_sr.video.frames.side_data import side_data
from edge_sr.video.frames.stereo import MARK_OF_3D
from edge_sr.video.missing_times import with_missing_times
from edge_sr.video.surfaces.read import on_host

if TYPE_CHECKING:
    import av

# Codecs whose decoders say how coarsely a frame was quantised, when asked to.
TELL_QUANTISERS = ("h264", "mpeg2video", "vp9")
CAPTIONS = "closed captions"
# Side data that describes the picture's content and cannot be passed on, by FFmpeg's names.
NOT_KEPT = {
    "A53_CC": CAPTIONS,
    "DYNAMIC_HDR_PLUS": "HDR10+ dynamic metadata",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
    "SPHERICAL": "the mark of a 360° film",
    "STEREO3D": MARK_OF_3D,
    "ICC_PROFILE": "the colour profile",
}


class FrameDecoder:
    """The decoder of one stream with what follows it; ``bad_frames`` and ``lost`` grow as it is read.

    A frame of more than ``most_pixels`` is a bad one.
    """

    def __init__(
        self, stream: Any, threads: int, warn: Callable[[str], None], most_pixels: int | None = None
    ) -> None:
        self._context = decoder_with_alpha(stream) or stream.codec_context
        self._warn = warn
        self._cropper = Cropper(crop_of(stream))
        self._deinterlacer = Deinterlacer(self._context.codec.canonical_name)
        self._aspects = PixelAspects(self._context)
        self.bad_frames = 0
        self.lost: list[str] = []
        self._context.thread_count = threads
        self._context.thread_type = "AUTO" if threads > 1 else "NONE"
        options = {} if most_pixels is None else {"max_pixels": str(most_pixels)}
        if self._context.codec.canonical_name in TELL_QUANTISERS:
            options["export_side_data"] = "venc_params"
        self._context.options = options

    @property
    def alters(self) -> bool:
        """Whether frames are not handed on as they are decoded."""
        return self.deinterlaces or self._cropper.crops

    @property
    def deinterlaces(self) -> bool:
        return self._deinterlacer.active

    def frames(self, packets: Iterable[Any]) -> Iterator[av.VideoFrame]:
        """Every frame that decodes, in the order they are shown."""
        return map(self._cropper, self._whole(packets))

    def _whole(self, packets: Iterable[Any]) -> Iterator[av.VideoFrame]:
        for packet in packets:
            if packet.size:
                yield from self._ready(packet)
        yield from self._ready(None)
        yield from self._deinterlacer.flush()

    def _ready(self, packet: Any) -> Iterator[av.VideoFrame]:
        for frame in self._decoded(packet):
            if frame.is_corrupt:
                self.bad_frames += 1
            self._note_lost(frame)
            if frame.interlaced_frame or self.deinterlaces:
                frame = on_host(frame)
            yield from self._deinterlacer.push(frame)

    def _decoded(self, packet: Any) -> list[av.VideoFrame]:
        import av

        try:
            frames = with_missing_times(self._context.decode(packet))
            self._aspects.mark(packet, frames)
            return frames
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self.bad_frames += 1
            self._warn(f"frames that cannot be decoded: {error.strerror}")
            return []

    def _note_lost(self, frame: av.VideoFrame) -> None:
        found = side_data(frame)
        if "STEREO3D" in found and not any(bytes(found["STEREO3D"])[:4]):
            # Flat pictures need no mark.
            found.pop("STEREO3D")
        if "ICC_PROFILE" in found and is_srgb(bytes(found["ICC_PROFILE"])):
            found.pop("ICC_PROFILE")
        names = [name for kind, name in NOT_KEPT.items() if kind in found]
        if TRANSPARENCY not in self.lost and is_transparent(frame):
            names.append(TRANSPARENCY)
        self.lost += [name for name in names if name not in self.lost]


def with_times(
    frames: Iterable[av.VideoFrame], tick: int, warn: Callable[[str], None], *, has_times: bool
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames without a time follow the one before by a ``tick``, or by as long as its codec says that it is shown,
    as in MPEG-2's pulldown; none goes back."""
    last: int | None = None
    lasts = tick
    for frame in frames:
        pts = frame.pts
        if pts is None or not has_times:
            pts = 0 if last is None else last + lasts
        elif last is not None and pts <= last:
            warn("some frames do not follow the one before in time: moved to just after it")
            pts = last + 1
        last = pts
        # Of a single field it is shorter than the frame is shown.
        lasts = tick if has_times else max(tick, frame.duration or 0)
        yield pts, frame
