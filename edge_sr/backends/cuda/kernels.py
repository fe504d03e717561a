"""The kernels by name: parameters, threads, shared memory and tiles, as ``cuda/kernels`` lays them down."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace

from edge_sr.backends.cuda.network.form import STEP, DecoderForm, EncoderForm, Form, Int8Form

# A tile of the encoder, its halo columns included, and the warps of a layer's block.
TILE_COLUMNS, HALO_COLUMNS = 32, 34
LAYER_WARPS = 4
DECODER_WARPS, DECODER_ROWS = 4, 8
# Warps of the kernels for whole residual blocks.
PAIRS = (6, 8, 12)


class Parameters(ctypes.Structure):
    """A kernel's one argument; addresses are the device's."""


class HeadParameters(Parameters):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("image", "weights", "bias", "output")),
        *((name, ctypes.c_int) for name in ("height", "width", "across")),
    )


class LayerParameters(Parameters):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("input", "weights", "bias", "residual", "output", "scale")),
        *((name, ctypes.c_int) for name in ("height", "width", "across", "tiles")),
        *((name, ctypes.c_int) for name in ("output_pixel", "output_at", "rectified")),
        *((name, ctypes.c_float) for name in ("input_inverse", "output_inverse")),
    )


class ResidualParameters(Parameters):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("input", "weights", "bias", "output")),
        *((name, ctypes.c_int) for name in ("height", "width", "across", "tiles")),
    )


class Int8ResidualParameters(Parameters):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("input", "weights", "scale", "bias", "output")),
        *((name, ctypes.c_int) for name in ("height", "width", "across", "tiles")),
        *((name, ctypes.c_float) for name in ("input_inverse", "middle_inverse")),
    )


class ChainParameters(Parameters):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("maps", "weights")),
        ("pixels", ctypes.c_int64),
    )


class DecodeParameters(Parameters):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("maps", "image", "rows", "cols", "offset_y", "offset_x")),
        *((name, ctypes.c_uint64) for name in ("weights", "floats", "ratio", "output")),
        *((name, ctypes.c_int) for name in ("height", "width", "out_height", "out_width")),
    )


@dataclass(frozen=True)
class Kernel:
    """One function of a form's image. ``tile``: rows and columns that a block of the encoder makes at a time."""

    form: Form
    name: str
    threads: int
    shared_bytes: int
    tile: tuple[int, int]


@dataclass(frozen=True)
class Launch:
    """One kernel with what it is given; ``blocks`` along x and y."""

    kernel: Kernel
    blocks: tuple[int, int]
    parameters: Parameters


def count_tiles(kernel: Kernel, height: int, width: int) -> tuple[int, int]:
    """Tiles in a row of tiles, and in all."""
    across = -(-width // kernel.tile[1])
    return across, across * -(-height // kernel.tile[0])


def _weight_bytes(channels: int, group: int) -> int:
    return 9 * channels * group * 2


def _tile_bytes(rows: int, channels: int) -> int:
    return rows * HALO_COLUMNS * channels * 2


def head(form: EncoderForm, io: str) -> Kernel:
    """From a picture of ``uint8`` or ``float`` to features."""
    rows, columns = 2 * LAYER_WARPS, TILE_COLUMNS
    shared = 48 * form.channels * 2 + (rows + 2) * HALO_COLUMNS * 8
    variant = "bytes" if io == "uint8" else "floats"
    return Kernel(form, f"head{form.channels}_{variant}", 32 * LAYER_WARPS, shared, (rows, columns))


def layer(form: EncoderForm, end: str, *, ahead: bool = False, narrow: bool = False) -> Kernel:
    """One convolution. ``end``: ``relu``, ``residual``, or for 32 or the last 16 maps ``maps`` and ``maps_rest``."""
    group = {"maps": 32, "maps_rest": STEP}.get(end, form.channels)
    rows = 2 * LAYER_WARPS
    tiles = (2 if ahead else 1) * _tile_bytes(rows + 2, form.channels)
    name = f"layer{form.channels}_{end}{'_ahead' if ahead else ''}{'_narrow' if narrow else ''}"
    shared = _weight_bytes(form.channels, group) + tiles
    return Kernel(form, name, 32 * LAYER_WARPS, shared, (rows, TILE_COLUMNS))


def pair(form: EncoderForm, warps: int, *, narrow: bool = False) -> Kernel:
    """A whole residual block, by 6, 8 or 12 warps."""
    shared = 2 * _weight_bytes(form.channels, form.channels) + _tile_bytes(4 * warps + 2, form.channels)
    name = f"pair{form.channels}_{warps}{'_narrow' if narrow else ''}"
    return Kernel(form, name, 32 * warps, shared, (2 * warps - 2, TILE_COLUMNS - 2))


def to_levels(form: Int8Form, end: str) -> Kernel:
    """A float16 convolution that hands levels on. ``end``: ``relu_levels`` or ``residual_levels``."""
    return replace(layer(EncoderForm(form.channels), end), form=form)


def int8_layer(form: Int8Form, end: str) -> Kernel:
    """One int8 convolution. ``end``: ``relu``, ``relu_levels``, ``tail``, ``tail_levels`` read float16; ``residual``,
    ``maps`` and ``maps_rest`` read levels."""
    group = {"maps": 32, "maps_rest": STEP}.get(end, form.channels)
    rows = 2 * LAYER_WARPS
    shared = _level_bytes(form.channels, group) + _tile_bytes(rows + 2, form.channels) // 2
    return Kernel(form, f"int8_layer{form.channels}_{end}", 32 * LAYER_WARPS, shared, (rows, TILE_COLUMNS))


def int8_pair(form: Int8Form, warps: int) -> Kernel:
    """A whole residual block in int8, by 6, 8 or 12 warps."""
    weights = 2 * _level_bytes(form.channels, form.channels)
    shared = weights + _tile_bytes(4 * warps + 2, form.channels) // 2
    name = f"int8_pair{form.channels}_{warps}"
    return Kernel(form, name, 32 * warps, shared, (2 * warps - 2, TILE_COLUMNS - 2))


def _level_bytes(channels: int, group: int) -> int:
    return -(-9 * channels // 32) * 32 * group


def chain(form: DecoderForm) -> Kernel:
    """Modes 1 and 2: finishes the modulation of all layers in the maps, on 128 pixels a block."""
    shared = sum(a * b * 2 for a, b in zip(form.layers, form.layers[1:], strict=False))
    return Kernel(form, f"{form.name}_chain", 32 * DECODER_WARPS, shared, (1, 32 * DECODER_WARPS))


def decode(form: DecoderForm, io: str) -> Kernel:
    """From maps to a picture of ``uint8`` or ``float``."""
    before, quads = form.layers[0], 0
    for width in form.layers[1:]:
        quads += width * before // 4 // (1 if form.shares else 2)
        before = width
    quads += -(-before // 32) * 32
    floats = 3 * form.layers[0] + sum(form.layers[1:]) + 4
    shared = quads * 16 + floats * 4 + DECODER_WARPS * 96 * 4
    variant = "bytes" if io == "uint8" else "floats"
    tile = (DECODER_ROWS * DECODER_WARPS, TILE_COLUMNS)
    return Kernel(form, f"{form.name}_{variant}", 32 * DECODER_WARPS, shared, tile)


def decoder_kernels(form: DecoderForm, io: str) -> list[Kernel]:
    """What a decoder launches for pictures of ``io``, with what finishes its maps in modes 1 and 2."""
    return [decode(form, io)] + [chain(form)] * (not form.shares)


def every_kernel(form: Form) -> list[Kernel]:
    """All kernels of a form's image but those for surfaces, which need no shared memory."""
    if isinstance(form, DecoderForm):
        return [decode(form, io) for io in ("uint8", "float")] + [chain(form)] * (not form.shares)
    if isinstance(form, Int8Form):
        ends = ("relu", "relu_levels", "residual", "tail", "tail_levels", "maps", "maps_rest")
        levels = [to_levels(form, end) for end in ("relu_levels", "residual_levels")]
        return [*levels, *(int8_layer(form, end) for end in ends), *(int8_pair(form, n) for n in PAIRS)]
    if isinstance(form, EncoderForm):
        blocks = [layer(form, end, ahead=ahead) for end in ("relu", "residual") for ahead in (False, True)]
        blocks += [layer(form, end) for end in ("maps", "maps_rest")]
        narrow = [layer(form, end, narrow=True) for end in ("relu", "residual", "maps", "maps_rest")]
        pairs = [pair(form, warps) for warps in PAIRS] + [pair(form, PAIRS[0], narrow=True)]
        return [*(head(form, io) for io in ("uint8", "float")), *blocks, *narrow, *pairs]
    return []
