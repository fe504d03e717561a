"""The items of a HEIF file (HEIC, AVIF): of which tiles its picture is made, and how it is turned.

FFmpeg decodes every tile as a stream of its own and PyAV does not hand on how they lie, so that is read here
(ISO/IEC 14496-12 and 23008-12). An item's number is its stream's.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import MediaError
from edge_sr.sizes import Box
from edge_sr.video.boxes import boxes
from edge_sr.video.frames.orientation import UPRIGHT, Orientation
from edge_sr.video.image.files.heif_boxes import (
    LARGEST_HEADER,
    item_entries,
    meta_box,
    nclx,
    places,
    properties,
    references,
)

ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
DEPTH = {b"urn:mpeg:hevc:2015:auxid:2": "depth"}
# Apple's; ISO 21496-1 has items of the kind "tmap" instead.
GAIN_MAP = b":hdrgainmap"
# Kinds of items that are pictures: coded ones, and those made of others.
PICTURES = (b"hvc1", b"av01", b"grid", b"iden", b"iovl")
# irot's quarter turns, counter-clockwise.
TURNS = (
    UPRIGHT,
    Orientation(transpose=True, mirror_y=True),
    Orientation(mirror_x=True, mirror_y=True),
    Orientation(transpose=True, mirror_x=True),
)


@dataclasses.dataclass(frozen=True)
class Tiles:
    """Items row by row, ``columns`` to a row; the picture is the upper left ``size`` of them."""

    items: tuple[int, ...]
    columns: int
    size: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class HeifPicture:
    """The primary picture as stored, the alpha channel that belongs to it, and how it is displayed.

    ``crop``: the part of it that is shown, before it is turned;
    ``auxiliary``: kinds of pictures that say something of it beside alpha and gain map, depth and mattes for instance;
    ``others``: how many pictures the file shows beside it; ``has_gain_map``: whether one makes it HDR;
    ``premultiplied``: whether its colours are multiplied by alpha;
    ``is_hevc``: whether its tiles are coded so, AV1 being the other way;
    ``nclx``: primaries, transfer and matrix by ITU-T H.273, and 1 for the full range; None where nothing is said.
    """

    tiles: Tiles
    alpha: Tiles | None
    crop: Box
    orientation: Orientation
    icc: bytes | None
    nclx: tuple[int, int, int, int] | None
    exif: bytes | None
    depth: int
    is_hevc: bool = False
    premultiplied: bool = False
    xmp: bytes | None = None
    others: int = 0
    has_gain_map: bool = False
    auxiliary: tuple[str, ...] = ()


def read_items(path: Path) -> HeifPicture:
    """The picture that the file declares as its primary; ``MediaError`` for another structure."""
    try:
        return _Meta(path).picture()
    except (struct.error, LookupError, ArithmeticError, OSError, ValueError, StopIteration) as error:
        raise MediaError(f"{path} is a HEIF file whose structure cannot be read: {error!r}") from error


class _Meta:
    """The ``meta`` box, its tables by item."""

    def __init__(self, path: Path) -> None:
        self._path = path
        data = meta_box(path)
        tables = dict(boxes(data[4:]))
        self._idat = tables.get(b"idat", b"")
        self.primary = struct.unpack_from(">H" if tables[b"pitm"][0] == 0 else ">I", tables[b"pitm"], 4)[0]
        entries = list(item_entries(tables[b"iinf"]))
        self.kinds = {item: kind for item, kind, _ in entries}
        self.hidden = {item for item, _, hidden in entries if hidden}
        self.places = dict(places(tables[b"iloc"]))
        self.references = list(references(tables.get(b"iref", b"")))
        self.properties = properties(tables[b"iprp"])

    def picture(self) -> HeifPicture:
        item, tiles = self.primary, self._tiles(self.primary)
        colours = [body for kind, body in self.properties.get(item, []) if kind == b"colr"]
        return HeifPicture(
            tiles=tiles,
            alpha=self._alpha(item),
            crop=self._crop(item),
            orientation=self._orientation(item),
            icc=next((body[4:] for body in colours if body[:4] in (b"prof", b"rICC")), None),
            nclx=next((nclx(body) for body in colours if body[:4] == b"nclx"), None),
            exif=self._exif(item),
            depth=self._depth(item),
            is_hevc=self.kinds.get(tiles.items[0]) == b"hvc1",
            xmp=self._xmp(item),
            others=self._others(item),
            has_gain_map=b"tmap" in self.kinds.values() or any(map(self._is_gain_map, self.properties)),
            auxiliary=self._auxiliary(item),
            premultiplied=any((kind, source) == (b"prem", item) for kind, source, _ in self.references),
        )

    def _tiles(self, item: int) -> Tiles:
        if self.kinds.get(item) != b"grid":
            return Tiles((item,), 1, self._size(item))
        layout = self._content(item)
        rows, columns = layout[2] + 1, layout[3] + 1
        width, height = struct.unpack_from(">II" if layout[1] & 1 else ">HH", layout, 4)
        items = next(
            targets for kind, source, targets in self.references if (kind, source) == (b"dimg", item)
        )
        if len(items) < rows * columns:
            raise ValueError(f"{len(items)} tiles for {rows} rows of {columns}")
        return Tiles(items[: rows * columns], columns, (width, height))

    def _size(self, item: int) -> tuple[int, int]:
        body = next(body for kind, body in self.properties[item] if kind == b"ispe")
        width, height = struct.unpack_from(">II", body, 4)
        return width, height

    def _alpha(self, item: int) -> Tiles | None:
        for kind, source, targets in self.references:
            if kind == b"auxl" and item in targets and self._is_alpha(source):
                return self._tiles(source)
        return None

    def _is_alpha(self, item: int) -> bool:
        bodies = [body for kind, body in self.properties.get(item, []) if kind == b"auxC"]
        return any(body[4:].split(b"\0")[0] in ALPHA for body in bodies)

    def _crop(self, item: int) -> Box:
        """The clean aperture, whose centre is given from the picture's, in fractions (14496-12, 12.1.4.1)."""
        width, height = self._tiles(item).size
        for kind, body in self.properties.get(item, []):
            if kind == b"clap":
                numbers = struct.unpack(">8i", body[:32])
                wide, high, right, down = (Fraction(numbers[i], numbers[i + 1]) for i in range(0, 8, 2))
                left, top = (width - wide) / 2 + right, (height - high) / 2 + down
                box = Box(math.floor(left), math.floor(top), math.floor(left + wide), math.floor(top + high))
                if 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height:
                    return box
        return Box(0, 0, width, height)

    def _orientation(self, item: int) -> Orientation:
        turn = UPRIGHT
        for kind, body in self.properties.get(item, []):
            if kind == b"irot":
                turn = TURNS[body[0] & 3]
            if kind == b"imir":
                axis = "mirror_x" if body[0] & 1 else "mirror_y"
                turn = dataclasses.replace(turn, **{axis: not getattr(turn, axis)})
        return turn

    def _depth(self, item: int) -> int:
        """Bits a channel, of a grid those of its first tile."""
        tile = self._tiles(item).items[0]
        for kind, body in (*self.properties.get(item, []), *self.properties.get(tile, [])):
            if kind == b"pixi":
                return max(body[5:])
            if kind == b"av1C":
                return 12 if body[2] & 0x20 else 10 if body[2] & 0x40 else 8
            if kind == b"hvcC":
                return 8 + (body[17] & 7)
        return 8

    def _exif(self, item: int) -> bytes | None:
        for kind, source, targets in self.references:
            if kind == b"cdsc" and item in targets and self.kinds.get(source) == b"Exif":
                content = self._content(source)
                return b"Exif\0\0" + content[4 + struct.unpack_from(">I", content)[0] :]
        return None

    def _xmp(self, item: int) -> bytes | None:
        for kind, source, targets in self.references:
            if kind == b"cdsc" and item in targets and self.kinds.get(source) == b"mime":
                content = self._content(source)
                if b"rdf:RDF" in content:
                    return content
        return None

    def _others(self, item: int) -> int:
        """Pictures of their own: neither hidden nor tiles, nor what belongs to another."""
        parts = {part for kind, _, targets in self.references if kind == b"dimg" for part in targets}
        parts |= {source for kind, source, _ in self.references if kind in (b"auxl", b"thmb")}
        pictures = {number for number, kind in self.kinds.items() if kind in PICTURES}
        return len(pictures - parts - self.hidden - {item})

    def _auxiliary(self, item: int) -> tuple[str, ...]:
        """The last word of each kind's name, such as "urn:com:apple:photo:2018:aux:portraiteffectsmatte"."""
        sources = [source for kind, source, targets in self.references if kind == b"auxl" and item in targets]
        kinds = (
            body[4:].split(b"\0")[0]
            for source in sources
            for kind, body in self.properties.get(source, [])
            if kind == b"auxC" and not self._is_alpha(source) and not self._is_gain_map(source)
        )
        names = (DEPTH.get(kind) or kind.rpartition(b":")[2].decode("latin-1") for kind in kinds)
        return tuple(dict.fromkeys(names))

    def _is_gain_map(self, item: int) -> bool:
        return any(kind == b"auxC" and GAIN_MAP in body for kind, body in self.properties[item])

    def _content(self, item: int) -> bytes:
        parts = []
        for method, start, length in self.places[item]:
            if method == 1:
                parts.append(self._idat[start : start + length])
            elif length <= LARGEST_HEADER:
                with self._path.open("rb") as file:
                    file.seek(start)
                    parts.append(file.read(length))
        return b"".join(parts)
