"""The shapes of the graph contract: what each input of a graph may be, per profile.

All sizes are (width, height) in pixels. Axes follow the graphs: pictures ``1 x h x w x 3``, maps
``1 x channels x h x w``, positions along one output axis each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_sr.bundle import Description, Graph, Port
from edge_sr.engines.store.identity import Shape, ShapeRange
from edge_sr.errors import EngineError
from edge_sr.sizes import Size, size_text

# The smallest frame that a range (--max-size) covers; fixed sizes may be smaller.
SMALLEST: Size = (16, 16)

# Every input's axes: a number, or whose length it is.
CONTRACT: dict[str, tuple[Any, ...]] = {
    "image": (1, "h", "w", 3),
    "maps": (1, "channels", "hp", "wp"),
    "rows": ("Ht",),
    "cols": ("Wt",),
    "offset_y": (1, 1, "Ht", 1),
    "offset_x": (1, 1, 1, "Wt"),
    "corner_rows": ("Ht",),
    "corner_cols": ("Wt",),
    "corner_y": (1, 1, "Ht", 1),
    "corner_x": (1, 1, 1, "Wt"),
    "ratio": (1, 1, 1, 1),
    "cell": (1, 2, 1, 1),
}


def shape_text(picture: Shape) -> str:
    """The size of pictures of that shape, as people write it."""
    return size_text((picture[2], picture[1]))


def along(name: str) -> str:
    """The output's axis that an input follows, ``Ht`` or ``Wt``; empty for one that is the same everywhere."""
    return next((axis for axis in CONTRACT[name] if axis in ("Ht", "Wt")), "")


@dataclass(frozen=True)
class SizeRange:
    """Input frames and output tiles of one optimisation profile: smallest, tuned for, largest."""

    frame: tuple[Size, Size, Size]
    tile: tuple[Size, Size, Size]


def fixed(frame: Size, tile: Size, static_tile: bool = False) -> SizeRange:
    """One input size; any output tile up to ``tile``, which is the one that kernels are tuned for, or that alone."""
    return SizeRange((frame, frame, frame), (tile if static_tile else (1, 1), tile, tile))


def up_to(largest: Size, tile: Size, static_tile: bool = False) -> SizeRange:
    """Every input size from 16 x 16 to ``largest``, tuned for the largest."""
    smallest = (min(SMALLEST[0], largest[0]), min(SMALLEST[1], largest[1]))
    return SizeRange((smallest, largest, largest), (tile if static_tile else (1, 1), tile, tile))


@dataclass(frozen=True)
class PairShapes:
    """What an encoder and a decoder agree on: ``channels`` of the maps, ``padding`` pixels more on each side of them,
    ``halo`` output pixels that the decoder eats there, and its ``positions`` beside maps and ``image``."""

    channels: int
    positions: tuple[str, ...]
    padding: int = 0
    halo: int = 0
    base: bool = False

    def shape(self, name: str, frame: Size, tile: Size) -> Shape:
        """The shape of input ``name`` for one frame and tile; ``EngineError`` for a name outside the contract."""
        lengths = {**_lengths(frame, tile, self.padding, self.halo), "channels": self.channels}
        return tuple(lengths.get(axis, axis) for axis in _axes(name))


def pair_of(description: Description) -> PairShapes:
    """What the graphs of an ``implicit`` bundle state."""
    decoder = next(graph for graph in description.graphs if graph.role == "decoder")
    maps = next(port for port in decoder.inputs if port.name == "maps")
    names = [port.name for port in decoder.inputs]
    positions = tuple(name for name in names if name not in ("maps", "image"))
    return PairShapes(maps.shape[1], positions, _padding(description), description.halo, "image" in names)


def profiles(
    description: Description, graph: Graph, ranges: Sequence[SizeRange]
) -> list[dict[str, ShapeRange]]:
    """One TensorRT profile for each range, over the inputs that the graph really has.

    Raises ``EngineError`` for an input outside the contract.
    """
    return [{port.name: _shape_range(description, port, sizes) for port in graph.inputs} for sizes in ranges]


def _shape_range(description: Description, port: Port, sizes: SizeRange) -> ShapeRange:
    padding, halo = _padding(description), description.halo
    pairs = zip(sizes.frame, sizes.tile, strict=True)
    lengths = (_lengths(frame, tile, padding, halo) for frame, tile in pairs)
    return ShapeRange(*(_port_shape(port, each) for each in lengths))


def _port_shape(port: Port, lengths: Mapping[str, int]) -> Shape:
    """An axis of a fixed length keeps it; the contract says which the others are, whatever the graph calls them."""
    pairs = zip(port.shape, _axes(port.name), strict=True)
    return tuple(dim if isinstance(dim, int) else lengths[axis] for dim, axis in pairs)


def _axes(name: str) -> tuple[Any, ...]:
    if name not in CONTRACT:
        raise EngineError(
            f"the graph asks for {name!r}, which is not among {', '.join(CONTRACT)}: export the bundle again"
        )
    return CONTRACT[name]


def _lengths(frame: Size, tile: Size, padding: int, halo: int) -> dict[str, int]:
    """The axes of ``CONTRACT``: maps have ``padding`` pixels more on each side, positions ``halo``."""
    (w, h), (tile_w, tile_h) = frame, tile
    padded = {"hp": h + 2 * padding, "wp": w + 2 * padding}
    return {"h": h, "w": w, **padded, "Ht": tile_h + 2 * halo, "Wt": tile_w + 2 * halo}


def _padding(description: Description) -> int:
    """Pixels around the maps on each side, as the encoder states its output: ``h``, or ``h+2`` for one."""
    encoder = next((graph for graph in description.graphs if graph.role == "encoder"), None)
    rows = "h" if encoder is None else str(encoder.outputs[0].shape[2])
    return int(rows.partition("+")[2] or 0) // 2
