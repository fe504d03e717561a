"""The items of a HEIF file (HEIC, AVIF): of which tiles its picture is made, and how it is turned.

FFmpeg decodes every tile as a stream of its own and PyAV does not hand on how they lie, so that is read here
(ISO/IEC 14496-12 and 23008-12). An item's number is its stream's.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import MediaError
from edge_sr.sizes import Box
from edge_sr.video.frames.orientation import UPRIGHT, Orientation

LARGEST_HEADER = 64 << 20
ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
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


def read_items(path: Path) -> HeifPicture:
    """The picture that the file declares as its primary; ``MediaError`` for another structure."""
    try:
        return _Meta(path).picture()
    except (struct.error, IndexError, KeyError, OSError, ValueError, ZeroDivisionError) as error:
        raise MediaError(f"{path} is a HEIF file whose structure cannot be read: {error!r}") from error


class _Meta:
    """The ``meta`` box, its tables by item."""

    def __init__(self, path: Path) -> None:
        self._path = path
        data = _meta_box(path)
        boxes = dict(_boxes(data[4:]))
        self._idat = boxes.get(b"idat", b"")
        self.primary = struct.unpack_from(">H" if boxes[b"pitm"][0] == 0 else ">I", boxes[b"pitm"], 4)[0]
        entries = list(_item_entries(boxes[b"iinf"]))
        self.kinds = {item: kind for item, kind, _ in entries}
        self.hidden = {item for item, _, hidden in entries if hidden}
        self.places = dict(_places(boxes[b"iloc"]))
        self.references = list(_references(boxes.get(b"iref", b"")))
        self.properties = _properties(boxes[b"iprp"])

    def picture(self) -> HeifPicture:
        item, tiles = self.primary, self._tiles(self.primary)
        colours = [body for kind, body in self.properties.get(item, []) if kind == b"colr"]
        return HeifPicture(
            tiles=tiles,
            alpha=self._alpha(item),
            crop=self._crop(item),
            orientation=self._orientation(item),
            icc=next((body[4:] for body in colours if body[:4] in (b"prof", b"rICC")), None),
            nclx=next((_nclx(body) for body in colours if body[:4] == b"nclx"), None),
            exif=self._exif(item),
            depth=self._depth(item),
            is_hevc=self.kinds.get(tiles.items[0]) == b"hvc1",
            xmp=self._xmp(item),
            others=self._others(item),
            has_gain_map=b"tmap" in self.kinds.values() or any(map(self._is_gain_map, self.properties)),
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


def _meta_box(path: Path) -> bytes:
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if length == 1:
                length = struct.unpack(">Q", file.read(8))[0] - 8
            if kind == b"meta":
                if not 8 < length < LARGEST_HEADER:
                    raise ValueError(f"a meta box of {length} bytes")
                return file.read(length - 8)
            if length < 8:
                break
            file.seek(length - 8, 1)
    raise ValueError("no meta box")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if length < 8:
            return
        yield kind, data[place + 8 : place + length]
        place += length


def _item_entries(body: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Number and kind of each item, and whether it is hidden."""
    for _, entry in _boxes(body[6 if body[0] == 0 else 8 :]):
        wide = entry[0] >= 3
        number = struct.unpack_from(">I" if wide else ">H", entry, 4)[0]
        yield number, entry[10 if wide else 8 :][:4], bool(entry[3] & 1)


def _places(body: bytes) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """For each item its parts: how they are addressed, where they begin and how long they are."""
    version, sizes = body[0], body[4:6]
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    reader = _Reader(body, 6)
    for _ in range(reader.number(2 if version < 2 else 4)):
        item = reader.number(2 if version < 2 else 4)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)
        base = reader.number(base_size)
        parts = []
        for _ in range(reader.number(2)):
            reader.number(index_size)
            start = base + reader.number(offset_size)
            parts.append((method, start, reader.number(length_size)))
        yield item, parts


class _Reader:
    """Big-endian numbers of any number of bytes, one after another."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def number(self, size: int) -> int:
        value = self._data[self._place : self._place + size]
        if len(value) < size:
            raise ValueError("a table ends early")
        self._place += size
        return int.from_bytes(value, "big")


def _references(body: bytes) -> Iterator[tuple[bytes, int, tuple[int, ...]]]:
    size = 4 if body[:1] == b"\1" else 2
    for kind, entry in _boxes(body[4:]):
        reader = _Reader(entry, 0)
        source = reader.number(size)
        yield kind, source, tuple(reader.number(size) for _ in range(reader.number(2)))


def _properties(body: bytes) -> dict[int, list[tuple[bytes, bytes]]]:
    """The properties of each item, in the order that they apply."""
    boxes = list(_boxes(body))
    shared = [entry for kind, content in boxes if kind == b"ipco" for entry in _boxes(content)]
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    for table in (content for kind, content in boxes if kind == b"ipma"):
        wide = table[3] & 1
        reader = _Reader(table, 4)
        for _ in range(reader.number(4)):
            item = reader.number(2 if table[0] < 1 else 4)
            for _ in range(reader.number(1)):
                index = reader.number(2) & 0x7FFF if wide else reader.number(1) & 0x7F
                if index:
                    found.setdefault(item, []).append(shared[index - 1])
    return found


def _nclx(body: bytes) -> tuple[int, int, int, int]:
    primaries, transfer, matrix = struct.unpack_from(">HHH", body, 4)
    return primaries, transfer, matrix, body[10] >> 7
