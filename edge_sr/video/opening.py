"""Opening media with FFmpeg, and FFmpeg's errors as ours: the one place that translates them."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.errors import (
    DiskFullError,
    EdgeSRError,
    InputNotFoundError,
    MediaError,
    MissingError,
    ResourceError,
    UnreachableError,
)

if TYPE_CHECKING:
    import av.container

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
UNREACHABLE = {errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET}
NVIDIA_DEVICE = Path("/dev/nvidia0")
HARDWARE_DECODERS = ("auto", "none", "cuda")


def is_url(name: str) -> bool:
    """Whether FFmpeg resolves the name by itself: an address, or a numbered sequence such as ``%04d.png``."""
    return "://" in name or ("%" in name and not Path(name).exists())


def open_input(name: str, hwaccel: str = "none") -> av.container.InputContainer:
    """The opened film; ``InputNotFoundError``, ``UnreachableError`` or ``MediaError`` when it cannot be.

    ``hwaccel`` is one of ``auto`` (CUDA where there is a device, else the CPU), ``none`` and ``cuda``
    (``MissingError`` where there is none).
    """
    import av

    if not is_url(name) and not Path(name).exists():
        raise InputNotFoundError(f"no such file or folder: {name}")
    if Path(name).is_file() and Path(name).stat().st_size == 0:
        raise MediaError(f"{name} is empty, expected a film or a picture")
    device = _hardware(hwaccel)
    try:
        return av.open(name, metadata_errors="replace", timeout=(30, 60), hwaccel=device)
    except av.error.FFmpegError as error:
        raise _unreadable(name, error) from error


def _hardware(hwaccel: str) -> Any:
    from av.codec.hwaccel import HWAccel, hwdevices_available

    if hwaccel == "none" or (hwaccel == "auto" and not NVIDIA_DEVICE.exists()):
        return None
    if "cuda" not in hwdevices_available() or not NVIDIA_DEVICE.exists():
        raise MissingError(
            "--hwaccel cuda needs an NVIDIA GPU with its driver, and none was found: use --hwaccel none"
        )
    return HWAccel(device_type="cuda", allow_software_fallback=True)


def _unreadable(name: str, error: Any) -> EdgeSRError:
    if error.errno in UNREACHABLE or type(error).__name__.startswith("HTTP"):
        return UnreachableError(f"{name} cannot be reached: {error.strerror}")
    return MediaError(f"{name} is not a film or picture that FFmpeg can open: {error.strerror}")


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Raises ``DiskFullError`` or ``ResourceError``, naming ``name``, for what goes wrong inside."""
    import av

    try:
        yield
    except EdgeSRError:
        raise
    except (av.error.FFmpegError, OSError) as error:
        raise write_error(name, error) from error


def write_error(name: str, error: Any) -> ResourceError:
    """The error of the project's tree that says why ``name`` could not be written."""
    if error.errno in DISK_FULL:
        return DiskFullError(f"no space left for {name}: free some")
    return ResourceError(f"{name} cannot be written: {error.strerror or error}")
