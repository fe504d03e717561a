"""The shapes of the graph contract: what each input of an encoder or decoder may be, per profile.

All sizes are (width, height) in pixels. Axes follow the graphs: pictures ``1 x h x w x 3``, maps
``1 x channels x h x w``, positions along one output axis each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_sr.engine_cache.identity import Shape, ShapeRange, Tensor
from edge_sr.errors import EngineError
from edge_sr.spec import NetworkSpec

Size = tuple[int, int]

# The smallest frame that a range (--max-size) covers; fixed sizes may be smaller.
SMALLEST: Size = (16, 16)


@dataclass(frozen=True)
class SizeRange:
    """Input frames and output tiles of one optimisation profile: smallest, tuned for, largest."""

    frame: tuple[Size, Size, Size]
    tile: tuple[Size, Size, Size]


def fixed(frame: Size, tile: Size) -> SizeRange:
    """One input size; any output tile up to ``tile``, which is the one that kernels are tuned for."""
    return SizeRange((frame, frame, frame), ((1, 1), tile, tile))


def up_to(largest: Size, tile: Size) -> SizeRange:
    """Every input size from 16 x 16 to ``largest``, tuned for the largest."""
    smallest = (min(SMALLEST[0], largest[0]), min(SMALLEST[1], largest[1]))
    return SizeRange((smallest, largest, largest), ((1, 1), tile, tile))


def input_shape(network: NetworkSpec, name: str, frame: Size, tile: Size) -> Shape:
    """The shape of input ``name`` for one frame and tile; ``EngineError`` for a name outside the contract."""
    (w, h), (tile_w, tile_h) = frame, tile
    pad = 2 * network.decoder.init_q
    halo = 2 * (network.decoder.mode == 4)
    shapes: dict[str, Shape] = {
        "image": (1, h, w, 3),
        "maps": (1, network.map_channels, h + pad, w + pad),
        "rows": (tile_h + halo,),
        "cols": (tile_w + halo,),
        "offset_y": (1, 1, tile_h + halo, 1),
        "offset_x": (1, 1, 1, tile_w + halo),
        "ratio": (1, 1, 1, 1),
    }
    if name not in shapes:
        raise EngineError(
            f"the graph asks for {name!r}, which is not among {', '.join(shapes)}: export the bundle again"
        )
    return shapes[name]


def profiles(
    network: NetworkSpec, inputs: Sequence[Tensor], ranges: Sequence[SizeRange]
) -> list[dict[str, ShapeRange]]:
    """One TensorRT profile for each range, over the inputs that the graph really has."""
    return [{tensor.name: _shape_range(network, tensor.name, sizes) for tensor in inputs} for sizes in ranges]


def _shape_range(network: NetworkSpec, name: str, sizes: SizeRange) -> ShapeRange:
    pairs = zip(sizes.frame, sizes.tile, strict=True)
    return ShapeRange(*(input_shape(network, name, frame, tile) for frame, tile in pairs))
