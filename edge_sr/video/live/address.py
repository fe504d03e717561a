"""Where live pictures come from and go to, as a URI, and how such a URI may be shown."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from urllib.parse import parse_qs

from edge_sr.errors import MissingError, OptionError
from edge_sr.masking import masked, remember

NETWORK = frozenset({"rtsp", "rtsps", "udp", "srt", "rtmp", "rtmps", "http", "https", "tcp", "rtp"})
DEVICE = re.compile(r"/dev/video\d+")


@dataclasses.dataclass(frozen=True, repr=False)
class Address:
    """``kind`` is ``device``, ``csi``, ``gst``, ``pipe``, ``file`` or a scheme; ``target`` is what is opened.

    Printing an address never shows the credentials in it.
    """

    kind: str
    target: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def is_network(self) -> bool:
        return self.kind in NETWORK

    @property
    def shown(self) -> str:
        return masked(self.target)

    def option(self, name: str) -> str | None:
        return dict(self.options).get(name)

    def __repr__(self) -> str:
        return f"Address({self.kind}: {self.shown})"

    __str__ = __repr__


def parse_address(text: str) -> Address:
    """The address that ``text`` names; ``OptionError`` for a scheme nobody knows."""
    remember(text)
    if text in ("-", "pipe:") or text.startswith("pipe:?"):
        options = parse_qs(text.partition("?")[2], keep_blank_values=True)
        return Address("pipe", "-", tuple((key, values[-1]) for key, values in options.items()))
    if text.startswith("gst:"):
        return Address("gst", text[4:].strip())
    if DEVICE.fullmatch(text):
        return Address("device", text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Address("file", text)
    return _with_scheme(scheme.lower(), rest, text)


def _with_scheme(scheme: str, rest: str, text: str) -> Address:
    if scheme == "file":
        return Address("file", rest)
    if scheme == "csi":
        if not rest.isdecimal():
            raise OptionError(f"a CSI camera is csi://N, such as csi://0, found csi://{rest}")
        return Address("csi", text)
    if scheme not in NETWORK:
        known = ", ".join(sorted(NETWORK))
        raise OptionError(f"unknown scheme {scheme}://, expected one of {known}, csi, gst: or a file")
    if not rest.strip("/"):
        raise OptionError(f"{scheme}:// needs a host, such as {scheme}://192.0.2.1:5000")
    return Address(scheme, text)


def same_place(source: Address, sink: Address) -> bool:
    """Whether writing to ``sink`` would write over ``source``; standard input and output are two places."""
    if source.kind != sink.kind or source.kind == "pipe":
        return False
    if source.kind != "file":
        return source.target == sink.target
    files = Path(source.target), Path(sink.target)
    return all(file.exists() for file in files) and files[0].samefile(files[1])


def without_protocol(address: Address, instead: str = "") -> MissingError:
    """This FFmpeg was built without what ``address`` needs, as PyAV's wheels are without SRT. ``instead``: what else
    can be had, with a comma behind it."""
    return MissingError(
        f"PyAV's own FFmpeg has no {address.kind}://: use another protocol, {instead}"
        "or build PyAV against an FFmpeg that has it (pip install --no-binary av av)"
    )
