"""Profiles in a PNG's text as ImageMagick writes them: name, length and bytes, in hexadecimal."""

from __future__ import annotations

from edge_sr.video.image.files.psd_resources import without_thumbnails

EXIF, XMP = (f"Raw profile type {name}" for name in ("exif", "xmp"))
# Photoshop's, which ImageMagick's older versions call after what they often hold.
RESOURCES = ("8bim", "iptc")
# Digits a line.
LINE = 72


def decoded(text: str) -> bytes:
    """The profile; nothing of a text that holds none."""
    parts = text.split(maxsplit=2)
    try:
        data = bytes.fromhex(parts[2])
        return data if len(data) == int(parts[1]) else b""
    except (IndexError, ValueError):
        return b""


def renewed(texts: dict[str, str]) -> dict[str, str]:
    """A PNG's texts for a picture that is written anew: XMP has a place of its own, and what Photoshop's resources
    show of the old one goes."""
    result = {key: text for key, text in texts.items() if key != XMP or not decoded(text)}
    for name in RESOURCES:
        key = f"Raw profile type {name}"
        data = decoded(result.get(key, ""))
        kept = without_thumbnails(data)
        if kept != data:
            result[key] = _encoded(name, kept)
    return result


def _encoded(name: str, data: bytes) -> str:
    digits = data.hex()
    lines = (digits[at : at + LINE] for at in range(0, len(digits), LINE))
    return "\n".join(["", name, f"{len(data):8}", *lines, ""])
