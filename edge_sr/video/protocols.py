"""What an input may open beside itself: a file nothing but files of its folder, an address nothing but addresses.

FFmpeg follows the names in a playlist wherever they lead. Which protocols it may use is its own whitelist; that a
file's playlist stays in its folder, no option of FFmpeg says, so those names are read here first.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path

from edge_sr.errors import MediaError, OptionError

EVERYTHING = "all"
# What each kind of address needs beside itself. A file's pieces may be encrypted or stand in the list itself.
NEEDS: dict[str, tuple[str, ...]] = {
    "file": ("crypto", "data"),
    "pipe": ("crypto", "data"),
    "http": ("https", "httpproxy", "tcp", "tls", "crypto", "data"),
    "https": ("http", "httpproxy", "tcp", "tls", "crypto", "data"),
    "rtsp": ("rtp", "srtp", "udp", "tcp", "tls"),
    "rtsps": ("rtsp", "rtp", "srtp", "udp", "tcp", "tls"),
    "rtp": ("srtp", "udp"),
    "rtmp": ("tcp",),
    "rtmps": ("rtmp", "tls", "tcp"),
    "srt": ("udp",),
}
OTHERS_NEED = ("tcp", "tls", "udp")
# Formats that are lists of other files; of these FFmpeg itself keeps a concat list in its folder.
LISTS = frozenset({"hls", "applehttp", "dash", "webm_dash_manifest", "imf", "sdp", "rtsp", "concat", "lavfi"})
HEAD_BYTES, MOST_LIST_BYTES, LONGEST_NAME, MOST_LISTS, MOST_LISTED = 4096, 16 << 20, 2048, 1000, 100_000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.,_-]*:")
_URI = re.compile(r"URI=(\"[^\"]*\"?|[^,]*)", re.IGNORECASE)


def is_address(name: str) -> bool:
    """Whether it names no file: a host's, a device's or a protocol's, such as ``https://example.org/film.mp4``."""
    return "://" in name


def parse_protocols(text: str | None) -> frozenset[str]:
    """``P,...`` of ``--allow-protocols``; ``OptionError`` for what is no protocol's name."""
    names = [] if text is None else [name.strip().lower() for name in text.split(",")]
    if not all(re.fullmatch(r"[a-z][a-z0-9]*", name) for name in names):
        raise OptionError(
            f"--allow-protocols must be names such as file,http or {EVERYTHING}, found {text!r}"
        )
    return frozenset(names)


def opening_options(name: str, kind: str, allowed: Collection[str] = ()) -> dict[str, str]:
    """FFmpeg's options for an input of ``kind``, ``file``, ``pipe`` or an address's scheme.

    ``allowed``: protocols beside those the kind needs; ``file`` lets a list name files anywhere, ``all`` lifts
    every limit. Raises ``MediaError`` for a list that leaves its folder.
    """
    if EVERYTHING in allowed:
        return {}
    protocols = {kind, *NEEDS.get(kind, OTHERS_NEED), *allowed}
    options = {"protocol_whitelist": ",".join(sorted(protocols))}
    if kind == "file" and "file" not in allowed:
        options["format_whitelist"] = _formats(_checked_list(name))
    return options


def names_others(path: Path) -> bool:
    """Whether the file is a list that names other files or addresses, sound or not."""
    try:
        return bool(_checked_list(str(path)))
    except MediaError:
        return True


def files_of_list(path: Path) -> list[Path]:
    """The files that a playlist or a concat list on disk names, those of lists in it included, each once and sorted;
    none for any other file."""
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting and len(found) <= MOST_LISTED:
        here = waiting.pop()
        for name in _named_by(here):
            target = here.parent / name
            if not _SCHEME.match(name) and target not in found and target.is_file():
                found[target] = None
                waiting.append(target)
    return sorted(found)


def _named_by(path: Path) -> Iterator[str]:
    head = _head(path)
    if head.startswith(b"#EXTM3U"):
        yield from _names_in(path)
    elif head.startswith(b"ffconcat version"):
        text = path.read_bytes()[:MOST_LIST_BYTES].decode("utf-8", "surrogateescape")
        for line in text.splitlines():
            with contextlib.suppress(ValueError):  # a quotation without an end
                yield from shlex.split(line)[1:2] if line.lstrip().startswith("file ") else []


def _formats(permitted: str) -> str:
    import av

    return ",".join(sorted((av.formats_available - LISTS) | {permitted} - {""}))


def _checked_list(name: str) -> str:
    """The name of the list's format that the file may be opened as; empty for what is no list."""
    path = Path(name)
    head = _head(path)
    if head.startswith(b"#EXTM3U"):
        _check_playlists(path)
        return "hls"
    if head.startswith(b"ffconcat version"):
        return "concat"
    if b"<MPD" in head or head.startswith(b"v=0"):
        raise MediaError(
            f"{path.name} is a list that names files and addresses elsewhere: if you trust it, add "
            f"--allow-protocols file,http (or what else it names)"
        )
    return ""


def _check_playlists(path: Path) -> None:
    """This playlist and those in it, each read once."""
    folder = path.parent.resolve()
    waiting, seen = [path], {path.resolve()}
    while waiting:
        playlist = waiting.pop()
        for name in _names_in(playlist):
            target = _within(folder, playlist.parent / name)
            if _leaves(name) or target is None or len(seen) > MOST_LISTS:
                raise MediaError(
                    f"{path.name} names {name[:80]!r}, which is not a file of its folder: if you trust it, add "
                    f"--allow-protocols file (or the protocol that it names)"
                )
            if target not in seen and _head(target).startswith(b"#EXTM3U"):
                seen.add(target)
                waiting.append(target)


def _within(folder: Path, path: Path) -> Path | None:
    try:
        target = path.resolve()
    except (OSError, RuntimeError):  # a name that is too long, or a loop of links
        return None
    return target if target.is_relative_to(folder) else None


def _leaves(name: str) -> bool:
    if name.startswith("data:"):
        return False
    odd = len(name) > LONGEST_NAME or "\\" in name or name.startswith(("/", "?"))
    return odd or bool(_SCHEME.match(name)) or ".." in name.split("/")


def _names_in(playlist: Path) -> Iterator[str]:
    """Every name in an M3U8: lines of their own, and the URIs of keys, maps and renditions."""
    with playlist.open("rb") as file:
        data = file.read(MOST_LIST_BYTES + 1)
    if len(data) > MOST_LIST_BYTES:
        raise MediaError(
            f"{playlist.name} is a playlist of more than {MOST_LIST_BYTES >> 20} MiB: shorten it"
        )
    for line in re.split("[\r\n\0]", data.decode("utf-8", "surrogateescape")):
        if not line.startswith("#"):
            yield from [line] if line.strip() else []
        else:
            yield from (found.strip('"') for found in _URI.findall(line) if found.strip('"'))


def _head(path: Path) -> bytes:
    """What a regular file begins with; of a pipe nothing may be taken."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""
