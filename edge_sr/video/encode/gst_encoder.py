"""An encoder that GStreamer brings and FFmpeg does not: a Jetson's. Frames go in, FFmpeg's packets come out."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sr.errors import MissingError, ResourceError
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.planes import read_plane
from edge_sr.video.live.gstreamer import bindings

if TYPE_CHECKING:
    import av

    from edge_sr.video.encode.encoding import Encoding

SECOND = 10**9
FRAMES_WAITING = 4
END_SECONDS = 10
PARSED = {
    "h264": "h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
    "hevc": "h265parse ! video/x-h265,stream-format=byte-stream,alignment=au",
}


def pipeline_text(encoding: Encoding) -> str:
    """The pipeline from our frames (yuv420p) to packets, the encoder's options in its own words."""
    codec, (width, height) = encoding.codec, encoding.size
    rate = f"{encoding.rate.numerator}/{encoding.rate.denominator}"
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={rate}"
    options = " ".join(f"{key}={value}" for key, value in encoding.options)
    waiting = f"block=true max-bytes={FRAMES_WAITING * width * height * 3 // 2}"
    return (
        f"appsrc name=frames format=time {waiting} caps={caps} ! {codec.element} {options} "
        f"! {PARSED[codec.encoder]} ! appsink name=packets sync=false"
    )


class GStreamerEncoder:
    """The encoder of one stream without B-frames; what it leaves unsaid, colours and aspect, is put into its packets.

    ``MissingError`` when it cannot be opened here, ``ResourceError`` when it fails later.
    """

    def __init__(self, encoding: Encoding, stream: Any, aspect: Fraction, colour: Colour) -> None:
        from av.bitstream import BitStreamFilterContext

        self._rate, self._stream = encoding.rate, stream
        self._gst = bindings(f"--codec {encoding.codec.name}")
        self._tags = BitStreamFilterContext(tags(encoding.codec.encoder, aspect, colour), stream)
        self._pipeline = self._launch(encoding)
        self._frames, self._packets = (self._pipeline.get_by_name(name) for name in ("frames", "packets"))
        self._first: int | None = None

    def _launch(self, encoding: Encoding) -> Any:
        reason: object = None
        try:
            pipeline = self._gst.parse_launch(pipeline_text(encoding))
        except Exception as error:  # GLib's error class exists only once gi is imported
            reason = getattr(error, "message", error)
        else:
            # An encoder that waits for its first frame answers with ASYNC.
            if pipeline.set_state(self._gst.State.PLAYING) != self._gst.StateChangeReturn.FAILURE:
                return pipeline
            reason = "its device does not open"
            pipeline.set_state(self._gst.State.NULL)
        raise MissingError(
            f"--codec {encoding.codec.name} needs a Jetson with its GStreamer elements: {reason}; use --codec x264"
        )

    def encode(self, frame: av.VideoFrame | None) -> list[Any]:
        """The packets that are ready, their times frame numbers; with ``None`` all that are left."""
        if frame is None:
            self._frames.emit("end-of-stream")
            packets = self._pull(END_SECONDS * SECOND)
            self.close()
            return packets
        buffer = self._gst.Buffer.new_wrapped(packed(frame))
        assert frame.pts is not None
        buffer.pts, buffer.duration = round(frame.pts * SECOND / self._rate), round(SECOND / self._rate)
        if self._frames.emit("push-buffer", buffer) != self._gst.FlowReturn.OK:
            self._raise_fault()
        return self._pull(0)

    def close(self) -> None:
        self._pipeline.set_state(self._gst.State.NULL)

    def _pull(self, wait: int) -> list[Any]:
        packets: list[Any] = []
        while (sample := self._packets.emit("try-pull-sample", wait)) is not None:
            packets += self._tags.filter(self._packet(sample.get_buffer()))
        self._raise_fault()
        return packets

    def _packet(self, buffer: Any) -> Any:
        import av

        # An encoder may begin anywhere: numbers count from its first packet, which is the first frame's.
        self._first = buffer.pts if self._first is None else self._first
        packet = av.Packet(buffer.extract_dup(0, buffer.get_size()))
        packet.pts = packet.dts = round((buffer.pts - self._first) * self._rate / SECOND)
        packet.is_keyframe = not buffer.has_flags(self._gst.BufferFlags.DELTA_UNIT)
        packet.stream = self._stream
        return packet

    def _raise_fault(self) -> None:
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        if message is not None:
            self.close()
            raise ResourceError(f"GStreamer's encoder failed: {message.parse_error()[0].message}")


def tags(codec: str, aspect: Fraction, colour: Colour) -> str:
    """The bitstream filter that writes colours and pixel aspect where decoders look for them."""
    values = {
        "colour_primaries": colour.primaries,
        "transfer_characteristics": colour.transfer,
        "matrix_coefficients": colour.matrix,
        "video_full_range_flag": int(colour.full_range),
        "sample_aspect_ratio": f"{aspect.numerator}/{aspect.denominator}",
    }
    return f"{codec}_metadata=" + ":".join(f"{key}={value}" for key, value in values.items())


def packed(frame: av.VideoFrame) -> bytes:
    """The planes of a yuv420p frame of even size, one after another, rows padded to four bytes for GStreamer."""
    planes = (read_plane(plane, np.uint8, plane.width) for plane in frame.planes)
    return b"".join(np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes() for rows in planes)
