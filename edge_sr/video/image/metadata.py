"""What a picture's file says beside its pixels, and how much of it each format can hold."""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Callable
from typing import Any

from edge_sr.video.frames.colour import PRIMARIES, TRANSFERS, UNSPECIFIED
from edge_sr.video.image.files import raw_profiles
from edge_sr.video.image.files.exif import PHOTOSHOP, RESOLUTION, Tags, described, fitting
from edge_sr.video.image.files.jpeg_segments import LARGEST_DENSITY, unkept_segments
from edge_sr.video.image.files.png_chunks import ASPECT, HDR
from edge_sr.video.image.files.psd_resources import without_thumbnails
from edge_sr.video.image.files.xmp import renewed, without_extension
from edge_sr.video.image.pillow_reader import profile_in
from edge_sr.video.image.placement import Placement, placed_exif, placed_xmp

# PNG's chunk of primaries, transfer, matrix and range by ITU-T H.273 (PNG, third edition).
CICP = b"cICP"
XMP_KEY = "XML:com.adobe.xmp"
# How a JPEG's segment of Photoshop's resources begins, IPTC's data among them; TIFF keeps them under a tag.
RESOURCES = b"Photoshop 3.0\0"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
# A JPEG segment less XMP's signature, and the longest comment.
LONGEST_XMP, LONGEST_COMMENT = 65_504, 65_533
# PNG's gamma and chromaticities of sRGB, in 1/100,000 (ITU-R BT.709-6).
SRGB_GAMMA = 45_455
SRGB_CHROMA = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


@dataclasses.dataclass(frozen=True)
class Metadata:
    """``dpi``: across and down; ``aspect``: how many pixels across and down are of one length, where they are not
    square and no ``dpi`` says so; ``text``: PNG's keys and values; ``chunks``: PNG's colour chunks as they
    stand; ``photoshop``: a JPEG's APP13 with its IPTC data."""

    icc: bytes | None = None
    exif: Tags | None = None
    dpi: tuple[float, float] | None = None
    xmp: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    comment: bytes = b""
    chunks: dict[bytes, bytes] = dataclasses.field(default_factory=dict)
    photoshop: bytes = b""
    aspect: tuple[int, int] | None = None

    @property
    def transfer(self) -> int | None:
        """The transfer that PNG's or HEIF's colour description names, by ITU-T H.273."""
        described = self.chunks.get(CICP, b"")
        return described[1] if len(described) == 4 else None

    @property
    def primaries(self) -> int:
        """The primaries that it names, likewise; 2, unspecified, where it does not."""
        described = self.chunks.get(CICP, b"")
        return described[0] if len(described) == 4 else UNSPECIFIED

    @property
    def hdr_chunks(self) -> dict[bytes, bytes]:
        """PNG's chunks of an HDR picture's mastering display and light levels."""
        return {kind: data for kind, data in self.chunks.items() if kind in HDR}

    @property
    def own_chunks(self) -> dict[bytes, bytes]:
        """Those of a PNG that Pillow does not write: HDR's, and the pixels' shape."""
        shape = {} if self.aspect is None else {ASPECT: struct.pack(">IIB", *self.aspect, 0)}
        return {**self.hdr_chunks, **shape}

    def placed(self, placement: Placement) -> tuple[Metadata, list[str]]:
        """For a picture that was turned, enlarged or cut, and a name for what it can no longer say."""
        dpi, aspect = self.dpi, self.aspect
        if placement.turn.transpose:
            dpi, aspect = dpi and dpi[::-1], aspect and aspect[::-1]
        xmp, lost = placed_xmp(self.xmp or b"", placement)
        exif = self.exif and placed_exif(self.exif, placement)
        return dataclasses.replace(self, dpi=dpi, aspect=aspect, exif=exif, xmp=xmp or None), lost

    def without_colours(self) -> Metadata:
        """For pixels that were brought to sRGB."""
        return dataclasses.replace(self, icc=None, chunks={})


def read_metadata(image: Any, chunks: dict[bytes, bytes]) -> tuple[Metadata, list[str]]:
    """All of a picture that Pillow has loaded, and a name for what cannot be read; ``chunks`` are a PNG's own."""
    info = image.info
    lost: list[str] = []
    found, exif = None, None
    try:
        found = raw_exif(image, chunks)
        exif, lost = described(found)
    except Exception:  # Pillow's decoder raises whatever malformed EXIF makes it raise
        lost = ["EXIF (malformed)"]
    xmp = info.get("xmp") or raw_profiles.decoded(info.get(raw_profiles.XMP, ""))
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    if info.get("icc_profile") and profile_in(image) is None:
        lost = [*lost, "the colour profile (malformed)"]
    segments = getattr(image, "applist", ())
    if any(name == "APP1" and data.startswith(EXTENDED_XMP) for name, data in segments):
        xmp, lost = without_extension(xmp or b""), [*lost, "XMP beyond its first 64 KB"]
    lost = [*lost, *unkept_segments(segments)]
    chunks = {kind: data for kind, data in chunks.items() if kind != b"eXIf"}
    if CICP in chunks and not (chunks[CICP][0] in PRIMARIES and chunks[CICP][1] in TRANSFERS):
        del chunks[CICP]
        lost = [*lost, "the colour description cICP (its numbers mean nothing)"]
    dpi = _dpi(image, found)
    metadata = Metadata(
        icc=profile_in(image),
        exif=exif,
        dpi=dpi,
        aspect=_aspect(image) if dpi is None else None,
        xmp=renewed(xmp) if isinstance(xmp, bytes) and xmp else None,
        text=_text(image),
        comment=b"\n".join(data for name, data in segments if name == "COM") or _comment(info),
        chunks=chunks,
        photoshop=_resources([data for name, data in segments if name == "APP13"]),
    )
    return metadata, lost


def raw_exif(image: Any, chunks: dict[bytes, bytes]) -> Any:
    """EXIF as Pillow finds it; of a PNG wherever it stands, without decoding the pixels."""
    if image.format != "PNG" or raw_profiles.EXIF in image.info:
        return image.getexif()
    from PIL import Image

    exif = Image.Exif()
    if b"eXIf" in chunks:
        exif.load(b"Exif\0\0" + chunks[b"eXIf"])
    return exif


def _resources(segments: list[bytes]) -> bytes:
    """One segment of all Photoshop's resources, which go on from one to the next; others as they are."""
    if not all(data.startswith(RESOURCES) for data in segments):
        return b"".join(segments)
    block = without_thumbnails(b"".join(data.removeprefix(RESOURCES) for data in segments))
    return RESOURCES + block if block else b""


def _dpi(image: Any, exif: Any) -> tuple[float, float] | None:
    """The resolution, where the file states one: Pillow makes up a value for some, and of others leaves it in EXIF."""
    info = image.info
    if "dpi" not in info or (image.format in ("TIFF", "JPEG", "MPO") and info.get("jfif_unit") not in (1, 2)):
        return stated_dpi(exif or {})
    return _sound(lambda: info["dpi"])


def _aspect(image: Any) -> tuple[int, int] | None:
    """The shape of the pixels by a PNG's ``pHYs`` or a JPEG's density without a unit; None of square ones."""
    info = image.info
    across, down = info.get("aspect") or ((1, 1) if info.get("jfif_unit") != 0 else info["jfif_density"])
    return (across, down) if across != down and min(across, down) > 0 else None


def stated_dpi(tags: Any) -> tuple[float, float] | None:
    """The resolution by EXIF's or TIFF's ``tags``, where they state one in inches or centimetres."""
    across, down, unit = RESOLUTION
    factor = {2: 1.0, 3: 2.54}.get(tags.get(unit, 2), 0.0)
    return _sound(lambda: (tags[across] * factor, tags[down] * factor))


def _sound(resolution: Callable[[], Any]) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in resolution())
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    sound = all(math.isfinite(value) and 0 < value < 1e6 for value in (across, down))
    return (across, down) if sound else None


def _text(image: Any) -> tuple[tuple[str, str], ...]:
    if image.format != "PNG":
        return ()
    try:
        texts = image.text
    except Exception:
        # Pillow has decoded no pixels of 16 bits yet, and damaged ones make it raise nearly anything.
        texts = {key: value for key, value in image.info.items() if isinstance(value, str)}
    texts = raw_profiles.renewed(texts)
    # Values as Pillow has them, with their language.
    return tuple(entry for entry in texts.items() if entry[0] not in (XMP_KEY, raw_profiles.EXIF))


def _comment(info: dict[str, Any]) -> bytes:
    comment = info.get("comment", b"")
    return comment.encode("utf-8", "replace") if isinstance(comment, str) else bytes(comment)


def saving(metadata: Metadata, kind: str, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
    """Pillow's options that write it into a ``kind`` of ``size``, and a name for each thing left out."""
    lost = _lost(metadata, kind)
    tags, missing = fitting(_with_photoshop(_with_dpi(metadata, kind), metadata, kind), kind, size)
    options = {
        "icc_profile": metadata.icc,
        "exif": (tags if kind == "TIFF" else tags.encoded()) if tags else None,
        "dpi": metadata.dpi if kind in ("JPEG", "PNG", "TIFF") else None,
        **_more(metadata, kind),
    }
    return {key: value for key, value in options.items() if value}, lost + missing


def _more(metadata: Metadata, kind: str) -> dict[str, Any]:
    if kind == "PNG":
        return {"pnginfo": _png_info(metadata)}
    more: dict[str, Any] = {"xmp": metadata.xmp}
    if kind == "JPEG":
        more["xmp"] = metadata.xmp if len(metadata.xmp or b"") <= LONGEST_XMP else None
        more["comment"] = metadata.comment if len(metadata.comment) <= LONGEST_COMMENT else None
        if metadata.photoshop:
            more["extra"] = b"\xff\xed" + struct.pack(">H", 2 + len(metadata.photoshop)) + metadata.photoshop
    return more


def _lost(metadata: Metadata, kind: str) -> list[str]:
    lost = []
    if kind != "PNG":
        if metadata.text:
            lost.append(f"text ({', '.join(key for key, _ in metadata.text)}; {kind} has none)")
        lost += [] if metadata.icc else _colours(metadata.chunks, kind)
        lost += [f"mastering display and light levels ({kind} is written without)"] * bool(
            metadata.hdr_chunks
        )
    if metadata.aspect is not None and not _holds_aspect(metadata.aspect, kind):
        lost.append(f"the shape of the pixels ({kind} has no place for it)")
    if metadata.comment and (
        kind in ("WEBP", "TIFF", "AVIF", "HEIF") or len(metadata.comment) > LONGEST_COMMENT
    ):
        lost.append(f"the comment ({kind} has no room for it)")
    if metadata.photoshop and not _holds_photoshop(metadata.photoshop, kind):
        lost.append(f"IPTC and Photoshop data ({kind} has no place for them)")
    if kind == "JPEG" and len(metadata.xmp or b"") > LONGEST_XMP:
        lost.append("XMP (longer than JPEG's 65,504 bytes)")
    return lost


def _colours(chunks: dict[bytes, bytes], kind: str) -> list[str]:
    """What a PNG says of its colours that is not sRGB's, which every reader assumes."""
    lost = []
    gamma = int.from_bytes(chunks.get(b"gAMA", b""), "big")
    if gamma and abs(gamma - SRGB_GAMMA) > 500 and b"sRGB" not in chunks:
        lost.append(f"gamma {gamma / 100_000:g} ({kind} has none)")
    chroma = chunks.get(b"cHRM", b"")
    if len(chroma) == 32 and b"sRGB" not in chunks:
        far = (abs(a - b) > 500 for a, b in zip(struct.unpack(">8I", chroma), SRGB_CHROMA, strict=True))
        lost += [f"chromaticities ({kind} has none)"] if any(far) else []
    if kind not in ("HEIF", "AVIF") and chunks.get(CICP, b"\1\x0d")[:2] != b"\1\x0d":
        lost.append(f"the colour description cICP ({kind} has none)")
    return lost


def _with_dpi(metadata: Metadata, kind: str) -> Tags:
    """EXIF that also says the resolution, where the format has no field of its own for it."""
    tags = metadata.exif or Tags({})
    if metadata.dpi is None or kind not in ("WEBP", "AVIF", "HEIF"):
        return tags
    resolution = dict(zip(RESOLUTION, (*metadata.dpi, 2), strict=True))
    return dataclasses.replace(tags, main={**tags.main, **resolution})


def _with_photoshop(tags: Tags, metadata: Metadata, kind: str) -> Tags:
    """TIFF's tags, with what a JPEG keeps in segments of its own."""
    if kind != "TIFF" or not _holds_photoshop(metadata.photoshop, kind):
        return tags
    resources = metadata.photoshop.removeprefix(RESOURCES)
    return dataclasses.replace(tags, main={**tags.main, PHOTOSHOP: resources})


def _holds_aspect(aspect: tuple[int, int], kind: str) -> bool:
    return kind == "PNG" or (kind == "JPEG" and max(aspect) <= LARGEST_DENSITY)


def _holds_photoshop(segments: bytes, kind: str) -> bool:
    if kind == "TIFF":
        return segments.startswith(RESOURCES)
    return kind == "JPEG" and len(segments) <= LONGEST_COMMENT


def _png_info(metadata: Metadata) -> Any:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for kind, data in metadata.chunks.items():
        if kind not in HDR and not (metadata.icc and kind == b"sRGB"):
            info.add(kind, data)
    for key, value in metadata.text:
        info.add_text(key, value)
    if metadata.comment:
        info.add_itxt("Comment", metadata.comment.decode("utf-8", "replace"))
    if metadata.xmp:
        info.add_itxt(XMP_KEY, metadata.xmp.decode("utf-8", "replace"))
    return info if info.chunks else None
