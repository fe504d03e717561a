"""One segment of a film on its way: an encoder of its own, its packets kept until it is written whole."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.files.durable import to_disk
from edge_sr.video.encode.captions import WITH_CAPTIONS, with_captions
from edge_sr.video.encode.containers import MUXERS
from edge_sr.video.encode.encoding import Encoding, add_packet_stream, configure
from edge_sr.video.encode.gst_encoder import GStreamerEncoder
from edge_sr.video.encode.refusal import refusals
from edge_sr.video.frames.alpha import ALPHA_MODE
from edge_sr.video.frames.colour import BT709, Colour
from edge_sr.video.frames.pixels import FromRgb
from edge_sr.video.opening import ffmpeg_name, open_encoder
from edge_sr.video.surfaces.read import ON_GPU, is_on_gpu, on_host
from edge_sr.video.timed import Timed, longest_frame

if TYPE_CHECKING:
    import av

# Closed captions by the number of their frame in the film, on their way from decoder to encoder.
Captions = dict[int, bytes]
# What an encoder is tried with.
TRIAL_COLOUR = Colour(BT709, False, BT709, BT709)
SEGMENTS = {**MUXERS, ".nut": "nut"}


@dataclasses.dataclass(frozen=True)
class EncodeSettings:
    """What every segment of a film has in common."""

    encoding: Encoding
    time_base: Fraction
    aspect: Fraction
    colour: Colour

    def frame_maker(self) -> FromRgb:
        """What makes the frames that it encodes of the network's results."""
        about = self.encoding
        return FromRgb(self.colour, about.layout, about.pixel_format, takes_surfaces=about.takes_surfaces)


class SegmentEncoder:
    """The encoder of up to a segment's frames; nothing is on the disk before ``save``."""

    def __init__(
        self,
        path: Path,
        first: Timed[av.VideoFrame],
        recipe: EncodeSettings,
        captions: Captions | None = None,
    ) -> None:
        self.path = path
        self.index = first.index
        self.first_pts = first.pts
        self._recipe = recipe
        self._captions = {} if captions is None else captions
        # The last one of a film says itself how long it lasts.
        self._longest = int(longest_frame(recipe.time_base) / recipe.time_base)
        self._times: list[tuple[int, int]] = []
        self._packets: list[Any] = []
        self._on_gpu = is_on_gpu(first.frame)
        self._begin()
        self._ended = False

    @property
    def frames(self) -> int:
        """How many it has taken so far."""
        return len(self._times)

    @property
    def end_pts(self) -> int:
        """When its last frame so far has been shown, in the film's time."""
        return self.first_pts + max((pts + duration for pts, duration in self._times), default=0)

    def encode(self, frame: Timed[av.VideoFrame]) -> None:
        frame.frame.pts = len(self._times)
        frame.frame.time_base = 1 / self._recipe.encoding.rate
        self._times.append((frame.pts - self.first_pts, min(frame.duration, self._longest)))
        self._keep(self._packets_of(frame.frame))

    def save(self) -> None:
        """Ends the encoder and writes the segment, down to the disk."""
        self._end()
        self._write(self._file, self._stream, len(self._packets))

    def salvage(self) -> bool:
        """Writes as much of the segment as there is room for; False when not even one packet fits."""
        import av

        with contextlib.suppress(av.error.FFmpegError, OSError, EdgeSRError):
            self._end()
        count = len(self._packets)
        while count:
            self.path.unlink(missing_ok=True)
            try:
                self._write(*self._open(), count)
                return True
            except (av.error.FFmpegError, OSError):
                count = count * 3 // 4
        self.path.unlink(missing_ok=True)
        return False

    def _begin(self) -> None:
        self._file, self._stream = self._open(on_gpu=self._on_gpu)
        self._encoder = self._open_encoder()

    def _packets_of(self, frame: av.VideoFrame) -> list[Any]:
        """What the encoder gives for a frame; where the first one fails on the GPU, all go by way of the host."""
        import av

        if self._on_gpu:
            try:
                return list(self._encoder.encode(frame))
            except av.error.FFmpegError as error:
                if self.frames > 1:
                    raise
                warnings.warn(
                    f"frames go to the encoder by way of the host: FFmpeg says {error}", stacklevel=2
                )
            self._on_gpu = False
            self._file.close()
            self._begin()
        return list(self._encoder.encode(on_host(frame)))

    def _open(self, *, on_gpu: bool = False) -> tuple[Any, Any]:
        """A file of this name with its stream, FFmpeg's encoder; the first packet makes the file itself.

        For frames ``on_gpu`` the first of them opens the encoder: it says which memory they are in.
        """
        import av

        # A link of that name would have its target overwritten.
        self.path.unlink(missing_ok=True)
        file: Any = av.open(ffmpeg_name(str(self.path)), "w", format=SEGMENTS[self.path.suffix])
        encoding = self._recipe.encoding
        if encoding.codec.element:
            stream = add_packet_stream(file, encoding)
        else:
            stream = file.add_stream(encoding.codec.encoder, rate=encoding.rate)
            configure(stream.codec_context, encoding, self._recipe.aspect, self._recipe.colour)
            if on_gpu:
                stream.codec_context.pix_fmt = ON_GPU
            else:
                open_encoder(stream.codec_context)
        if encoding.layout.has_alpha:
            stream.metadata[ALPHA_MODE] = "1"
        stream.time_base = self._recipe.time_base
        return file, stream

    def _open_encoder(self) -> Any:
        """FFmpeg's encoder is the stream itself."""
        recipe = self._recipe
        if not recipe.encoding.codec.element:
            return self._stream
        return GStreamerEncoder(recipe.encoding, self._stream, recipe.aspect, recipe.colour)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._keep(self._encoder.encode(None))

    def _keep(self, packets: list[Any]) -> None:
        """Puts the true times on packets whose times are frame numbers."""
        for packet in map(self._captioned, packets):
            pts, packet.duration = self._times[packet.pts]
            dts = packet.pts if packet.dts is None else packet.dts
            packet.dts = dts * self._times[0][1] if dts < 0 else self._times[dts][0]
            packet.pts = pts
            packet.time_base = self._recipe.time_base
            self._packets.append(packet)

    def _captioned(self, packet: Any) -> Any:
        """The packet with its frame's closed captions, if it has any."""
        captions = self._captions.pop(self.index + packet.pts, None)
        codec = WITH_CAPTIONS.get(self._recipe.encoding.codec.name)
        return packet if captions is None or codec is None else with_captions(packet, captions, codec)

    def _write(self, file: Any, stream: Any, count: int) -> None:
        try:
            for packet in self._packets[:count]:
                packet.stream = stream
                file.mux(packet)
        finally:
            file.close()
        to_disk(self.path)


def probe(encoding: Encoding) -> None:
    """Opens the encoder once, so that a bad preset or an absent device shows before the work begins."""
    import av
    import av.codec

    if encoding.codec.element:
        _probe_element(encoding)
        return
    try:
        context = av.CodecContext.create(encoding.codec.encoder, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise MissingError(
            f"this FFmpeg has no encoder {encoding.codec.encoder} for --codec {encoding.codec.name}: "
            "pip install --upgrade av, or use --codec x264"
        ) from error
    with refusals(encoding.codec, encoding.size, dict(encoding.options)):
        configure(context, encoding, Fraction(1), TRIAL_COLOUR)
        open_encoder(context)


def _probe_element(encoding: Encoding) -> None:
    """Opened on the way to memory, as ``SegmentEncoder`` opens it on the way to a file."""
    import av

    with av.open(io.BytesIO(), "w", format="mp4") as file:
        stream = add_packet_stream(file, encoding)
        GStreamerEncoder(encoding, stream, Fraction(1), TRIAL_COLOUR).close()
