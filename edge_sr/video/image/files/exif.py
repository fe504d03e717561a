"""EXIF: which tags say something of the picture, and which only of the old file's own structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from edge_sr.video.image.files.psd_resources import without_thumbnails

ORIENTATION, EXIF_IFD, GPS_IFD = 274, 34665, 34853
WIDTH, HEIGHT, INTEROPERABILITY = 40962, 40963, 40965
RESOLUTION = (282, 283, 296)
PHOTOSHOP = 34377
# A JPEG segment holds 65,533 bytes, of which 6 are EXIF's signature.
LIMITS = {"JPEG": 65_527}
# How and where the old file keeps its pixels (strips, tiles, colour layout), which is wrong for any other file, and
# what is kept elsewhere: resolution, orientation, XMP, colour profile, the directories themselves.
STRUCTURAL = frozenset(
    {
        *range(254, 269), *range(273, 285), *range(288, 294), 296, 297, 301, 317, *range(320, 326), 330, 332, 334,
        *range(336, 344), 346, 347, 351, *range(512, 522), 529, 530, 531, 532, 559, 700, 34665, 34675, 34853, 40965,
    }
)  # fmt: skip
# White and primaries of pixels whose file has no profile. A camera's Adobe RGB is also said in a directory of its own,
# by the rule R03 (DCF 2.0).
COLOURS = (318, 319)
# What a person, a program or a camera wrote about the picture: EXIF's own tags, IPTC's, Photoshop's and PrintIM.
DESCRIPTIVE = frozenset(
    {*COLOURS, 269, 270, 271, 272, 285, 305, 306, 315, 316, 3281, 18246, 18249, 33432, 33723, PHOTOSHOP, 50341}
) | {*range(33434, 33438), 34850, 34852, *range(34855, 34868), *range(36864, 42241)}  # fmt: skip


# EXIF 3.0's type of text in UTF-8, and that of ASCII.
UTF_8, ASCII = 129, 2


def know_utf8() -> None:
    """Has Pillow read texts of EXIF 3.0, whose type it leaves out without a word, as it reads others."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    readers: dict[int, Any] = ImageFileDirectory_v2._load_dispatch
    readers[UTF_8] = readers[ASCII]


class Text(str):
    """A tag's text, which Pillow reads as Latin-1 and would write as ASCII: its bytes go on, UTF-8 for instance."""

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        return super().encode("latin-1")


@dataclasses.dataclass(frozen=True)
class Tags:
    """Values by tag, of the main directory and of those for the exposure and for the place."""

    main: dict[int, Any]
    exposure: dict[int, Any] = dataclasses.field(default_factory=dict)
    place: dict[int, Any] = dataclasses.field(default_factory=dict)

    def encoded(self) -> bytes:
        """EXIF as Pillow's writers take it: its own object counts as empty where the main directory is."""
        from PIL import Image

        exif = Image.Exif()
        for tag, value in self.main.items():
            exif[tag] = value
        for directory, values in ((EXIF_IFD, self.exposure), (GPS_IFD, self.place)):
            if values:
                exif.get_ifd(directory).update(values)
        return exif.tobytes()

    def copied(self) -> Tags:
        return Tags(dict(self.main), dict(self.exposure), dict(self.place))

    def tables(self) -> Iterator[dict[int, Any]]:
        yield from (self.main, self.exposure, self.place)

    def __bool__(self) -> bool:
        return any(self.tables())


def described(exif: Any) -> tuple[Tags, list[str]]:
    """The descriptive part of Pillow's ``exif``, and a name for each tag that is neither that nor structure."""
    exposure = dict(exif.get_ifd(EXIF_IFD))
    if INTEROPERABILITY in exposure:
        exposure[INTEROPERABILITY] = dict(exif.get_ifd(INTEROPERABILITY))
    tables = {tag: exif[tag] for tag in exif if tag in DESCRIPTIVE}, exposure, exif.get_ifd(GPS_IFD)
    tags = Tags(*({tag: _kept(value) for tag, value in table.items()} for table in tables))
    resources = tags.main.get(PHOTOSHOP)
    if isinstance(resources, bytes):
        tags.main[PHOTOSHOP] = without_thumbnails(resources)
    return tags, [f"tag {_name(tag)}" for tag in exif if tag not in DESCRIPTIVE | STRUCTURAL]


def _kept(value: Any) -> Any:
    return Text(value) if isinstance(value, str) else value


def fitting(tags: Tags, kind: str, size: tuple[int, int]) -> tuple[Tags, list[str]]:
    """The tags that the format ``kind`` can hold, for a picture of ``size``; a name for each left out."""
    result = tags.copied()
    for tag, side in zip((WIDTH, HEIGHT), size, strict=True):
        if tag in result.exposure:
            result.exposure[tag] = side
    return result, [*_without_malformed(result), *_within(result, LIMITS.get(kind))]


def _without_malformed(tags: Tags) -> list[str]:
    """Takes out what cannot be encoded, tag by tag."""
    if _bytes(tags) is not None:
        return []
    lost: list[str] = []
    for table in tags.tables():
        for tag in [tag for tag, value in table.items() if _bytes(_alone(tags, table, tag)) is None]:
            del table[tag]
            lost.append(f"EXIF {_name(tag)} (malformed)")
    return lost if _bytes(tags) is not None else _without_all(tags, "malformed")


def _alone(tags: Tags, table: dict[int, Any], tag: int) -> Tags:
    """That tag of one of the tables, which its meaning depends on."""
    return Tags(*({tag: one[tag]} if one is table else {} for one in tags.tables()))


def _within(tags: Tags, limit: int | None) -> list[str]:
    """Takes out the largest tags until the rest fits."""
    lost: list[str] = []
    while limit is not None and len(_bytes(tags) or b"") > limit:
        sizes = [
            (len(_bytes(_alone(tags, table, tag)) or b""), tag) for table in tags.tables() for tag in table
        ]
        if not sizes:
            return [*lost, *_without_all(tags, "too long")]
        size, tag = max(sizes)
        for table in tags.tables():
            table.pop(tag, None)
        lost.append(f"EXIF {_name(tag)} (its {size:,} bytes are too long)")
    return lost


def _without_all(tags: Tags, why: str) -> list[str]:
    for table in tags.tables():
        table.clear()
    return [f"EXIF ({why})"]


def _bytes(tags: Tags) -> bytes | None:
    try:
        return tags.encoded()
    except Exception:  # Pillow's encoder raises whatever a malformed value makes it raise
        return None


def _name(tag: int) -> str:
    from PIL import ExifTags

    return str(ExifTags.TAGS.get(tag, tag))
