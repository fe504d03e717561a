"""Where live video goes, by its URI: fragmented files, streams, a pipe, a loopback device; and how each is written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edge_sr.errors import OptionError, OutputExistsError, OutputFolderError
from edge_sr.video.encode.codecs import Codec, find_codec
from edge_sr.video.encode.containers import CONTAINERS, MUXERS
from edge_sr.video.frames.siting import CENTER, LEFT
from edge_sr.video.live.address import Address

# Muxer -> its options; each leaves a playable file wherever it is cut.
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_CLUSTERS = {"cluster_time_limit": "1000"}
_PLAYABLE = {"mp4": _FRAGMENTS, "mov": _FRAGMENTS, "matroska": _CLUSTERS, "webm": _CLUSTERS}
TRANSPORT_STREAM = "mpegts"
# File extension -> muxer: what films are written as, and transport streams.
FILES = {**MUXERS, ".ts": TRANSPORT_STREAM}
STREAMS: dict[str, tuple[str, dict[str, str]]] = {
    "udp": (TRANSPORT_STREAM, {}),
    "srt": (TRANSPORT_STREAM, {}),
    "tcp": (TRANSPORT_STREAM, {}),
    "rtsp": ("rtsp", {"rtsp_transport": "tcp"}),
    "rtsps": ("rtsp", {"rtsp_transport": "tcp"}),
    "rtmp": ("flv", {}),
    "rtmps": ("flv", {}),
}
# H.264's and H.265's: they say how wide a pixel is, and are found again in MPEG-TS, whose muxer in FFmpeg takes all
# others too, as data that nobody plays.
MPEG_CODECS = frozenset({"x264", "x265", "h264_nvenc", "hevc_nvenc"})
# Muxers that say how wide a pixel is.
MUXERS_WITH_ASPECT = ("mp4", "mov")


@dataclasses.dataclass(frozen=True)
class Outlet:
    """Where and how to write: ``muxer`` with its options; no ``codec`` means raw frames."""

    address: Address
    muxer: str
    options: dict[str, str]
    codec: Codec | None

    @property
    def takes_sound(self) -> bool:
        return self.codec is not None

    @property
    def takes_aspect(self) -> bool:
        """Whether pixels that are not square can be told about: of the containers MP4 and MOV take it from the codec's
        settings, and PyAV sets no others."""
        by_codec = self.codec is not None and self.codec.name in MPEG_CODECS
        return by_codec or self.muxer in MUXERS_WITH_ASPECT

    @property
    def siting(self) -> str:
        """Where chroma is taken to lie: FFmpeg's y4m says that it is in the centre, all else says nothing."""
        return CENTER if self.muxer == "yuv4mpegpipe" else LEFT

    @property
    def has_rate_alone(self) -> bool:
        """Whether frames are written without their times, as y4m's are."""
        return self.muxer == "yuv4mpegpipe"

    @property
    def can_reopen(self) -> bool:
        """A stream may be tried again; a file or pipe that fails has failed."""
        return self.address.is_network


def plan_outlet(address: Address, codec: str | None, overwrite: bool) -> Outlet:
    """How that address is written.

    Raises ``OptionError`` for one that cannot be, ``OutputExistsError``, ``OutputFolderError`` or
    ``UnknownNameError`` for the codec.
    """
    if address.kind == "pipe":
        _refuse_codec(codec, "a pipe takes raw frames (y4m)")
        return Outlet(address, "yuv4mpegpipe", {}, None)
    if address.kind == "device":
        _refuse_codec(codec, "a loopback device takes raw frames")
        return Outlet(address, "video4linux2", {}, None)
    if address.kind == "file":
        return _file(address, codec, overwrite)
    if address.kind not in STREAMS:
        raise OptionError(
            f"{address.shown} cannot be written: use a file, -, /dev/videoN or {', '.join(STREAMS)}"
        )
    muxer, options = STREAMS[address.kind]
    return Outlet(address, muxer, options, _live_codec(codec or "x264", muxer))


def _refuse_codec(codec: str | None, reason: str) -> None:
    if codec is not None:
        raise OptionError(f"{reason}: leave --codec out")


def _file(address: Address, codec: str | None, overwrite: bool) -> Outlet:
    path = Path(address.target)
    if path.suffix.lower() not in FILES:
        raise OptionError(f"a live file is one of {', '.join(FILES)}, found {path.name}")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists: add --overwrite to replace it")
    if not path.parent.is_dir():
        raise OutputFolderError(f"no folder {path.parent}: make it first")
    muxer = FILES[path.suffix.lower()]
    return Outlet(address, muxer, _PLAYABLE.get(muxer, {}), _live_codec(codec, muxer))


def _live_codec(name: str | None, muxer: str) -> Codec:
    # FLV takes what MP4 does, the others at most what Matroska does.
    holders = {"flv": "mp4", **{container.muxer: container.name for container in CONTAINERS}}
    codec = find_codec(name, holders.get(muxer, "mkv"))
    if codec.element:
        raise OptionError(f"--codec {codec.name} is for films, not for live video: use another")
    if muxer == TRANSPORT_STREAM and codec.name not in MPEG_CODECS:
        raise OptionError(
            f"MPEG-TS cannot hold {codec.title} from {codec.name}: use x264 or x265, or write another kind of file"
        )
    return codec
