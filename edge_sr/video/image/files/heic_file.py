"""HEIC by pillow-heif and x265: 8 bits, or 12 of deeper pictures, 4:4:4, with alpha, EXIF, XMP and colour profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.machine.optional import require
from edge_sr.video.frames.colour import BT709, BT2020, SMPTE170M

PURPOSE = "writing HEIC"
QUALITY = 95
SRGB = 13


def write_heic(
    samples: NDArray[np.uint8] | NDArray[np.uint16],
    path: Path,
    options: dict[str, Any],
    described: tuple[int, int] | None,
) -> None:
    """Writes ``H x W x n`` samples, n from 1 to 4; ``options``: metadata as Pillow takes it.

    ``described``: primaries and transfer by ITU-T H.273, None for sRGB's. Raises ``MissingError`` without the extra.
    """
    heif: Any = require("pillow_heif", PURPOSE)
    whole = _coloured(samples)
    mode = ("RGB" if whole.shape[2] == 3 else "RGBA") + (";16" if whole.dtype == np.uint16 else "")
    file = heif.from_bytes(mode, (whole.shape[1], whole.shape[0]), whole.tobytes())
    if "exif" in options:
        file.info["exif"] = options["exif"]
    if "xmp" in options:
        file.info["xmp"] = options["xmp"]
    if "icc_profile" in options:
        file.info.update(icc_profile=options["icc_profile"], icc_profile_type="prof")
    heif.options.SAVE_HDR_TO_12_BIT = True
    primaries, transfer = described or (BT709, SRGB)
    file.save(
        str(path),
        format="HEIF",
        quality=QUALITY,
        chroma=444,
        color_primaries=primaries,
        transfer_characteristics=transfer,
        matrix_coefficients=BT2020 if primaries == BT2020 else SMPTE170M,
        full_range_flag=1,
        save_nclx_profile=True,
    )


def _coloured(samples: NDArray[Any]) -> NDArray[Any]:
    """Grey as three equal channels, beside its alpha channel if there is one."""
    channels = samples.shape[2]
    if channels >= 3:
        return np.ascontiguousarray(samples)
    return np.concatenate([np.repeat(samples[..., :1], 3, axis=2), samples[..., 1:]], axis=2)
