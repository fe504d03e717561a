"""The scale table: ranges, weight scales, frames, layers and losses of one calibration, as readable JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from edge_sr.bundle import Bundle
from edge_sr.calibration.recipe import Recipe
from edge_sr.errors import BundleError
from edge_sr.files.config import load_json, to_mapping

SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class FrameEntry:
    """A frame and what it was for: ``ranges`` or ``loss``. The hash is of its pixels."""

    name: str
    sha256: str
    use: str


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """dB lost with this layer quantised and all others not."""

    layer: str
    mean_db: float
    worst_db: float


@dataclasses.dataclass(frozen=True)
class SchemeEntry:
    """One scheme: layers that stay in high precision, the loss, and how it was measured.

    ``psnr_db`` and ``levels``: the lowest PSNR and the largest difference of its pictures from FP32's.
    """

    layers: tuple[str, ...]
    high_precision: tuple[str, ...]
    mean_db: float
    worst_db: float
    worst: str
    psnr_db: float
    levels: int
    sensitivity: tuple[Sensitivity, ...]


@dataclasses.dataclass(frozen=True)
class ScaleTable:
    """All that makes the INT8 graphs out of a bundle's others.

    ``encoder_sha256`` and ``decoder_sha256`` are of the FP32 graphs that it belongs to; a network of one graph has
    the first alone. ``ranges``: the least
    and the largest value that the levels of an activation cover. ``weights``: a scale for each output
    channel.
    """

    schema: int
    bundle: str
    version: str
    encoder_sha256: str
    decoder_sha256: str
    recipe: Recipe
    frames: tuple[FrameEntry, ...]
    factors: dict[str, tuple[float, ...]]
    ranges: dict[str, tuple[float, float]]
    weights: dict[str, tuple[float, ...]]
    placements: dict[str, SchemeEntry]

    def check_belongs_to(self, bundle: Bundle) -> None:
        """``BundleError`` when it was made for other weights."""
        if (self.encoder_sha256, self.decoder_sha256) != graph_hashes(bundle) or self.schema != SCHEMA:
            raise BundleError(
                f"the scale table is of {self.bundle} {self.version} with other weights than {bundle.path}: "
                "calibrate this bundle anew, without the recipe's `table`"
            )


def graph_hashes(bundle: Bundle) -> tuple[str, str]:
    """SHA-256 of the FP32 encoder and decoder, or of the one graph and nothing; ``BundleError`` without them."""
    network = bundle.find("network", "fp32")
    if network is not None:
        return network.sha256, ""
    found = [bundle.find(role, "fp32") for role in ("encoder", "decoder")]
    if found[0] is None or found[1] is None:
        raise BundleError(f"bundle {bundle.path} has no fp32 graphs to calibrate from; export it again")
    return found[0].sha256, found[1].sha256


def read_table(path: Path) -> ScaleTable:
    """The table in a JSON file; ``ConfigError`` for an unknown key or a wrong value."""
    return load_json(path, ScaleTable, SCHEMA)


def table_text(table: ScaleTable) -> str:
    """One range, layer or frame a line, so that two tables can be compared by eye."""
    return _lines(to_mapping(table), 0) + "\n"


def _lines(value: object, depth: int) -> str:
    text = json.dumps(value)
    if len(text) + depth <= 110 or not isinstance(value, (dict, list, tuple)):
        return text
    pad, end = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_lines(entry, depth + 1)}" for key, entry in value.items()]
        return "{" + pad + f",{pad}".join(items) + end + "}"
    if all(isinstance(entry, (int, float)) for entry in value):
        return text
    return "[" + pad + f",{pad}".join(_lines(entry, depth + 1) for entry in value) + end + "]"
