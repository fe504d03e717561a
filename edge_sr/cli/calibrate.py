"""``edge-sr calibrate``: INT8 graphs for a bundle, from the user's own images or film, within a budget."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sr.cli.options import NETWORK, RUN, BundleArgument, Json
from edge_sr.cli.terminal.progress import say
from edge_sr.errors import BundleError, DiskFullError, InterruptedRun, OptionError, as_ours

if TYPE_CHECKING:
    from edge_sr.bundle import Bundle
    from edge_sr.calibration.calibrate import Calibrated, CalibrationRequest
    from edge_sr.calibration.recipe import Recipe
    from edge_sr.calibration.table import ScaleTable


EXAMPLES = (
    "edge-sr calibrate diinn-edge --frames ~/Pictures -o my-edge",
    "edge-sr calibrate diinn-edge --frames holiday.mp4 -o my-edge --budget-db 0.02",
)

Frames = Annotated[
    list[Path],
    typer.Option(
        "--frames", metavar="DIR|VIDEO...", help="Images or films of the kind you upscale, one or many."
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A calibration recipe (.toml).", rich_help_panel=NETWORK),
]
BudgetDb = Annotated[
    float | None,
    typer.Option(
        metavar="DB",
        help="PSNR that INT8 may lose on average, and three times that at worst.",
        show_default="0.05",
        rich_help_panel=NETWORK,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="BUNDLE",
        help="The bundle to write; by default BUNDLE itself.",
        rich_help_panel=RUN,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted search.", rich_help_panel=RUN)
]


def calibrate(
    bundle: BundleArgument,
    frames: Frames,
    recipe: RecipeFile = None,
    budget_db: BudgetDb = None,
    output: Output = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Add INT8 graphs to a bundle.

    Ranges come from some of the frames; the PSNR loss is measured on others.
    Layers that break the budget stay in high precision.
    When no assignment meets the budget, nothing is written.
    """
    from edge_sr.machine.optional import require

    require("onnx", "edge-sr calibrate")
    start = time.perf_counter()
    request = _request(bundle, frames, output, _recipe(recipe, budget_db), recipe, resume)
    _report(_run(request), time.perf_counter() - start, as_json)


def _recipe(path: Path | None, budget_db: float | None) -> Recipe:
    from edge_sr.calibration.recipe import Budget, Recipe, read_recipe

    recipe = Recipe() if path is None else read_recipe(path)
    if budget_db is None:
        return recipe
    if not 0 < budget_db < 100:
        raise OptionError(f"--budget-db must lie above 0 and below 100, found {budget_db:g}")
    return dataclasses.replace(recipe, budget=Budget(budget_db, 3 * budget_db))


def _request(
    name: str, frames: list[Path], output: Path | None, recipe: Recipe, recipe_path: Path | None, resume: bool
) -> CalibrationRequest:
    from edge_sr.bundle import open_bundle
    from edge_sr.calibration.calibrate import CalibrationRequest

    bundle = open_bundle(name)
    _check_place(bundle, output)
    out = bundle.path if output is None else output
    if out.name in ("", ".."):  # "." has no name to put a lock or a draft beside
        out = out.resolve()
    return CalibrationRequest(
        bundle=bundle,
        frames=tuple(frames),
        recipe=recipe,
        out=out,
        cache=out.absolute().with_name(f".{out.name}.calibration.json"),
        resume=resume,
        overwrite=output is None,
        table=_table(recipe, recipe_path),
    )


def _check_place(bundle: Bundle, output: Path | None) -> None:
    """Shipped bundles come calibrated and are never written to; others are calibrated once."""
    from edge_sr.bundle import check_new_folder, shipped_folder

    shipped = bundle.path.resolve().parent == shipped_folder().resolve()
    if shipped and output is None:
        raise OptionError(f"{bundle.name} is shipped with the package: say where a new one goes with -o")
    if not shipped and "int8" in bundle.precisions:
        raise BundleError(f"bundle {bundle.path} is INT8 already: calibrate the one that it was made from")
    if output is not None:
        check_new_folder(output)


def _table(recipe: Recipe, path: Path | None) -> ScaleTable | None:
    from edge_sr.calibration.table import read_table

    if not recipe.table or path is None:
        return None
    return read_table(path.parent / recipe.table)


def _run(request: CalibrationRequest) -> Calibrated:
    from edge_sr.calibration.calibrate import calibrate
    from edge_sr.files.claims import claimed

    try:
        # Two that write one bundle would share their cache, and the later one's hours be lost at the end.
        with claimed(request.out):
            return calibrate(request, say)
    except KeyboardInterrupt as error:
        raise InterruptedRun("interrupted; go on with the same command and --resume") from error
    except OSError as error:
        explained = as_ours(error)
        if isinstance(explained, DiskFullError):
            raise DiskFullError(f"{explained}; then go on with the same command and --resume") from error
        raise


def _report(done: Calibrated, seconds: float, as_json: bool) -> None:
    result = _result(done, seconds)
    if as_json:
        typer.echo(json.dumps(result))
        return
    typer.echo(f"{result['bundle']}: {', '.join(result['precisions'])}")
    typer.echo("scheme     layers  mean dB  worst dB  least PSNR to FP32  in high precision")
    for name, entry in done.table.placements.items():
        kept = ", ".join(entry.high_precision) or "none"
        typer.echo(
            f"{name:<9} {len(entry.layers):7d} {entry.mean_db:8.4f} {entry.worst_db:9.4f} "
            f"{entry.psnr_db:19.1f}  {kept}"
        )


def _result(done: Calibrated, seconds: float) -> dict[str, Any]:
    frames = done.frames
    return {
        "bundle": str(done.bundle.path),
        "name": done.bundle.name,
        "precisions": list(done.bundle.precisions),
        "seconds": round(seconds, 2),
        "frames": {
            "ranges": len(frames.ranges),
            "loss": len(frames.held_out),
            "alike": frames.alike,
            "flat": frames.flat,
            "small": frames.small,
            "spare": frames.spare,
        },
        "budget": dataclasses.asdict(done.table.recipe.budget),
        "placements": {name: dataclasses.asdict(entry) for name, entry in done.table.placements.items()},
    }
