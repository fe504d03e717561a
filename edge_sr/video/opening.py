"""Opening media with FFmpeg, and FFmpeg's errors as ours: the one place that translates them."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.errors import (
    DeviceError,
    EdgeSRError,
    InputNotFoundError,
    MediaError,
    MissingError,
    UnreachableError,
    as_ours,
)
from edge_sr.machine.gpu import find_gpu
from edge_sr.machine.memory import available_bytes
from edge_sr.machine.scheduling import keeping_scheduling
from edge_sr.video.image.recognise import STREAMS
from edge_sr.video.missing_times import without_made_up_times
from edge_sr.video.protocols import NEEDS, is_address, opening_options
from edge_sr.video.sequences import numbered_files

if TYPE_CHECKING:
    import av.container
    import av.video.stream

SHORT_OF = {errno.ENOMEM, errno.EMFILE, errno.ENFILE}
# Bytes of memory, more than opening a film takes.
PLENTY = 1 << 30
UNREACHABLE = {errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET}
DEVICES = Path("/dev")
# AVFMT_NOTIMESTAMPS and AVFMT_TS_DISCONT of FFmpeg's avformat.h.
NO_TIMES, CLOCK_MAY_JUMP = 0x0080, 0x0200
# How a JPEG begins.
JPEG = b"\xff\xd8"
# How far FFmpeg looks into a file for its tracks, in bytes and microseconds: some begin late.
PROBING = {"probesize": str(64 << 20), "analyzeduration": str(120_000_000)}
# Brands of image sequences (ISO 23008-12 and AV1 Image File Format), whose stills FFmpeg lists first.
SEQUENCES = ("avis", "msf1")
# Seconds until a host that says nothing is given up, as it is opened and between two packets.
TIMEOUT = (30.0, 60.0)
# Frames a second: of time lapses, of what is taken for a rate, of phones' slow motion (milliseconds look like 1000).
SLOWEST, QUICK, QUICKEST = Fraction(1, 1000), 240, 960
HARDWARE_DECODERS = ("auto", "none", "cuda")


def is_opened_by_name(name: str) -> bool:
    """Whether FFmpeg resolves the name by itself: an address, or a numbered sequence such as ``%04d.png``."""
    return is_address(name) or ("%" in name and not Path(name).exists())


def ffmpeg_name(name: str) -> str:
    """``name`` as FFmpeg opens it: a file's name that looks like an address, as ``Title: Part.mp4`` does, is none."""
    if is_address(name) or Path(name).is_absolute() or ":" not in name:
        return name
    return os.path.join(os.curdir, name)  # noqa: PTH118 - Path drops the ./


def open_input(
    name: str,
    hwaccel: str = "none",
    protocols: Collection[str] = (),
    most_pixels: int | None = None,
    *,
    on_gpu: bool = False,
) -> av.container.InputContainer:
    """The opened film; ``InputNotFoundError``, ``UnreachableError`` or ``MediaError`` when it cannot be.

    ``hwaccel`` is one of ``auto`` (CUDA where it opens, else the CPU), ``none`` and ``cuda`` (``MissingError``
    where it does not open). ``protocols`` may be used beside those that the input's own kind needs. Frames of more
    than ``most_pixels`` are not decoded while FFmpeg looks for what is in the film. ``on_gpu``: what the GPU decodes
    stays in its memory, where that can be had.
    """
    if not is_opened_by_name(name) and not Path(name).exists():
        raise InputNotFoundError(f"no such file or folder: {name}")
    if Path(name).is_file() and Path(name).stat().st_size == 0:
        raise MediaError(f"{name} is empty, expected a film or a picture")
    options = opening_options(name, _kind(name), protocols)
    if most_pixels is not None:
        options = {**options, "max_pixels": str(most_pixels)}
    if files := numbered_files(name):
        # FFmpeg looks for the first number up to 4 only.
        options = {**options, "start_number": str(next(iter(files)))}
    container, reason = _by_gpu(name, hwaccel, options, stays=True) if on_gpu else (None, "")
    if container is None:
        container, reason = _by_gpu(name, hwaccel, options, stays=False)
    accelerated = container is not None
    container = without_made_up_times(_beginning_as_one(name, container or _on_cpu(name, options)))
    if hwaccel == "cuda" and not accelerated:
        container.close()
        raise MissingError(
            "--hwaccel cuda needs an NVIDIA GPU whose driver decodes the film, "
            f"and {_why_no_gpu() or reason}: use --hwaccel none"
        )
    return container


def _beginning_as_one(name: str, container: av.container.InputContainer) -> av.container.InputContainer:
    """``MediaError`` where FFmpeg found a JPEG in a file that begins otherwise, in a PDF for instance."""
    path = Path(name)
    if container.format.name != "mjpeg" or not path.is_file() or path.suffix.lower() in STREAMS:
        return container
    with path.open("rb") as file:
        if file.read(len(JPEG)) == JPEG:
            return container
    container.close()
    raise MediaError(f"{name} is no film or picture, though there is a JPEG in it")


def _why_no_gpu() -> str:
    """Empty where there is a GPU: then FFmpeg's own words say more."""
    try:
        find_gpu()
    except (MissingError, DeviceError) as error:
        return str(error).partition(": ")[0]
    return ""


def decoder_note(hwaccel: str, accelerated: bool) -> str:
    """What to say of a film that ``auto`` decodes on the CPU beside a GPU; else nothing."""
    if accelerated or hwaccel != "auto" or not _has_gpu():
        return ""
    return "decoded on the CPU: FFmpeg opens no decoder of the GPU for it here"


def _has_gpu() -> bool:
    """A container may be given the second GPU alone, and WSL2 has a device of another name."""
    return any(DEVICES.glob("nvidia[0-9]*")) or (DEVICES / "dxg").exists()


def _kind(name: str) -> str:
    scheme, separator, _ = name.partition("://")
    return scheme.lower() if separator and not Path(name).exists() else "file"


def _on_cpu(name: str, options: dict[str, str]) -> av.container.InputContainer:
    if Path(name).is_file():
        options = {**options, **PROBING}
    container = _opened(name, options)
    rate = coded_rate(container)
    if rate is not None and rate != container.streams.video[0].average_rate:
        container.close()
        container = _opened(name, {**options, "framerate": str(rate)})
    return container


def _opened(name: str, options: dict[str, str]) -> av.container.InputContainer:
    import av

    try:
        return av.open(
            ffmpeg_name(name), options=options, metadata_errors="replace", timeout=_patience(options)
        )
    except av.error.FFmpegError as error:
        raise _unreadable(name, error) from error


def open_made(path: Path) -> av.container.InputContainer:
    """A file that this program has made; raises FFmpeg's errors."""
    import av

    return av.open(ffmpeg_name(str(path)), metadata_errors="replace")


def _patience(options: dict[str, str]) -> tuple[float, float] | None:
    """For how long FFmpeg may open, and look for one packet: without end where it may read nothing but files."""
    allowed = options.get("protocol_whitelist")
    return None if allowed and {"file", *NEEDS["file"]}.issuperset(allowed.split(",")) else TIMEOUT


def coded_rate(container: av.container.InputContainer) -> Fraction | None:
    """The rate in a raw stream's own headers, if any: it has no times to go by, and FFmpeg takes 25 for all."""
    if not container.format.flags & NO_TIMES or len(container.streams.video) != 1:
        return None
    context = container.streams.video[0].codec_context
    coded = context.framerate if context is not None else None
    return Fraction(coded) if coded and 1 <= coded <= QUICK else None


def _by_gpu(
    name: str, hwaccel: str, options: dict[str, str], *, stays: bool
) -> tuple[av.container.InputContainer | None, str]:
    """The film with the GPU's decoder, or why not; a film that cannot be read at all shows on the CPU."""
    import av
    from av.codec.hwaccel import HWAccel, hwdevices_available

    if hwaccel == "none":
        return None, ""
    if "cuda" not in hwdevices_available():
        return None, "this FFmpeg was built without it"
    # Frames that stay are FFmpeg's copies of NVDEC's few surfaces (avcodec.h, AV_HWACCEL_FLAG_UNSAFE_OUTPUT), so that
    # some may be held.
    owned: dict[str, Any] = {"is_hw_owned": True} if stays else {}
    device = HWAccel(device_type="cuda", allow_software_fallback=hwaccel == "auto", **owned)
    try:
        opened = av.open(
            ffmpeg_name(name),
            options=options,
            metadata_errors="replace",
            timeout=_patience(options),
            hwaccel=device,
        )
        return opened, ""
    except (av.error.FFmpegError, RuntimeError) as error:
        return None, f"FFmpeg says: {error}"


def picture_stream(shown: str, container: av.container.InputContainer) -> av.video.stream.VideoStream:
    """The film's picture, not its cover; ``MediaError``, which names ``shown``, where it has none."""
    for stream in container.streams.video:
        aside = is_cover(stream) or is_still_of_sequence(container, stream)
        if stream.codec_context is not None and not aside:
            return stream
    found = " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise MediaError(f"{shown} has no picture, only {found}: expected a film or a camera")


def is_cover(stream: Any) -> bool:
    """Whether the stream is a picture that belongs to the file as a whole."""
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def is_still_of_sequence(container: Any, stream: Any) -> bool:
    """Whether the stream is the picture that stands for the moving one of an animated AVIF or HEIF file."""
    brands = container.metadata.get("compatible_brands", "")
    return stream.type == "video" and stream.duration is None and any(name in brands for name in SEQUENCES)


def frame_rate(stream: av.video.stream.VideoStream) -> Fraction | None:
    """Frames a second, as far as the headers say."""
    # Beyond what most cameras give it may be a clock's ticks, unless all of the film comes at it.
    most = QUICKEST if stream.average_rate == stream.base_rate else QUICK
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 1 <= rate <= most:
            return Fraction(rate).limit_denominator(1_000_000)
    return None


def film_rate(stream: av.video.stream.VideoStream) -> Fraction:
    """As ``frame_rate``, below 1 too, as of slides and time lapses; 25 where the headers say nothing that can be."""
    average = stream.average_rate
    if average and SLOWEST <= average < 1:
        return Fraction(average).limit_denominator(1_000_000)
    return frame_rate(stream) or Fraction(25)


def lacking(error: Any) -> EdgeSRError | None:
    """What the machine lacks, which says nothing about the film; of some damaged headers FFmpeg says it, too."""
    if error.errno == errno.ENOMEM and (available_bytes() or 0) > PLENTY:
        return None
    return as_ours(error) if error.errno in SHORT_OF else None


def _unreadable(name: str, error: Any) -> EdgeSRError:
    short = lacking(error)
    if short is not None:
        return short
    if type(error).__name__ == "ExitError":
        return UnreachableError(f"{name} cannot be reached: it has not answered for {TIMEOUT[0]:.0f} seconds")
    if error.errno in UNREACHABLE or type(error).__name__.startswith("HTTP"):
        return UnreachableError(f"{name} cannot be reached: {error.strerror}")
    return MediaError(f"{name} is not a film or picture that FFmpeg can open: {error.strerror}")


def open_encoder(context: Any) -> None:
    """Opens FFmpeg's encoder for its first frame, and leaves threads the scheduling that they have."""
    # SVT-AV1 tells of itself on standard error; there is no other way to have it say nothing but errors.
    os.environ.setdefault("SVT_LOG", "1")
    with keeping_scheduling():
        context.open(strict=False)
