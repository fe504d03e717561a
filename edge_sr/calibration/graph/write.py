"""A calibrated bundle on disk: all of the bundle it came from, its INT8 graphs, and the scale table."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from edge_sr.bundle import Bundle, Description, Graph, file_sha256, new_folder, write_description
from edge_sr.calibration.graph.dla_cache import cache_text
from edge_sr.calibration.graph.qdq import quantised
from edge_sr.calibration.ranges.equalise import equalised
from edge_sr.calibration.ranges.levels import QDQ_SCHEMES
from edge_sr.calibration.table import ScaleTable, SchemeEntry, table_text
from edge_sr.kinds import Precision, Role, SampleType, Scheme

TABLE = "scales.json"
DLA_CACHE = ".dla.cache"
ROLES: tuple[Role, ...] = ("encoder", "decoder", "decoder-sampled", "network")
SCHEMES: tuple[Scheme, ...] = ("int8", "int8-cpu")
SAMPLE_TYPES: tuple[SampleType, ...] = ("uint8", "float")


def write_bundle(bundle: Bundle, table: ScaleTable, out: Path, *, overwrite: bool = False) -> Bundle:
    """``bundle`` with the INT8 graphs of ``table``, in the folder ``out``; those that it had are dropped."""
    with new_folder(out, overwrite=overwrite) as draft:
        kept = tuple(graph for graph in bundle.description.graphs if graph.precision not in QDQ_SCHEMES)
        _copy(bundle, kept, draft)
        made = tuple(
            graph
            for name in SCHEMES
            if name in table.placements
            for graph in _scheme_graphs(bundle, table, name, draft)
        )
        (draft / TABLE).write_text(table_text(table), encoding="utf-8")
        cache = _write_dla_cache(bundle, table, draft)
        description = _described(bundle.description, (*kept, *made), table, draft, cache)
        write_description(draft, description)
    return Bundle(out, description)


def _copy(bundle: Bundle, graphs: tuple[Graph, ...], draft: Path) -> None:
    bundle.verify()
    files = {graph.file for graph in graphs}
    if bundle.description.weights is not None:
        files.add(bundle.description.weights.file)
    for file in sorted(files):
        shutil.copyfile(bundle.path / file, draft / file)


def _write_dla_cache(bundle: Bundle, table: ScaleTable, draft: Path) -> str:
    """The file's name, after the graph that reads the picture."""
    role = bundle.description.graphs[0].role
    plain = onnx.load(bundle.graph(role, base_precision(bundle, table, "int8")))
    (draft / (role + DLA_CACHE)).write_text(cache_text(plain, table.ranges), encoding="utf-8")
    return role + DLA_CACHE


def _scheme_graphs(bundle: Bundle, table: ScaleTable, name: Scheme, draft: Path) -> Iterator[Graph]:
    base = base_precision(bundle, table, name)
    entry = table.placements[name]
    for io in SAMPLE_TYPES:
        for role in ROLES:
            source = bundle.find(role, base, io)
            if source is not None:
                yield _written(bundle, source, table, name, draft, entry)


def base_precision(bundle: Bundle, table: ScaleTable, scheme: Scheme) -> Precision:
    """What surrounds quantised layers: float32 on a CPU, else the recipe's choice if the bundle has it."""
    wanted = table.recipe.high_precision if scheme == "int8" else "fp32"
    return wanted if wanted in bundle.precisions else "fp32"


def _written(
    bundle: Bundle, source: Graph, table: ScaleTable, scheme: Scheme, draft: Path, entry: SchemeEntry
) -> Graph:
    """The graph quantised, or the same file under another precision where none of its layers is."""
    model = onnx.load(bundle.graph(source.role, source.precision, source.io))
    made = quantised(
        equalised(model, table.factors), table.ranges, scheme, entry.layers, table.recipe.residual
    )
    loss: dict[str, Any] = {"psnr_db": entry.psnr_db, "levels": entry.levels}
    if made.SerializeToString() == model.SerializeToString():
        return dataclasses.replace(source, precision=scheme, **loss)
    file = source.file.replace(f".{source.precision}.", f".{scheme}.")
    onnx.save_model(made, draft / file)
    sha256 = file_sha256(draft / file)
    return dataclasses.replace(source, file=file, precision=scheme, sha256=sha256, **loss)


def _described(
    description: Description, graphs: tuple[Graph, ...], table: ScaleTable, draft: Path, dla_cache: str
) -> Description:
    """The loss and each layer's sensitivity go into ``extra``, for reports that never open the table."""
    placements = {name: dataclasses.asdict(entry) for name, entry in table.placements.items()}
    calibration = {
        "table": TABLE,
        "sha256": file_sha256(draft / TABLE),
        "dla_cache": dla_cache,
        "recipe": table.recipe.name,
        "method": table.recipe.method,
        "budget": dataclasses.asdict(table.recipe.budget),
        "frames": len(table.frames),
        "placements": placements,
    }
    return dataclasses.replace(
        description, graphs=graphs, extra={**description.extra, "calibration": calibration}
    )
