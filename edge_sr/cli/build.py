"""``edge-sr build``: engines for one target, several, or a fleet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edge_sr.cli.fleet_report import FleetReport, fleet_report, quality_text
from edge_sr.cli.options import NETWORK, SIZE, Cluster, FlavourName, Json, OptionalBundle, Target
from edge_sr.cli.terminal.progress import say
from edge_sr.errors import OptionError

if TYPE_CHECKING:
    from edge_sr.engines.build.builder import Built
    from edge_sr.engines.build.request import BuildRequest, Workplace
    from edge_sr.engines.fleet import Elsewhere
    from edge_sr.evaluation.results import Evaluation

    Job = tuple[BuildRequest, Workplace]

EXAMPLES = (
    "edge-sr build diinn-edge --target auto --sizes 1280x720",
    "edge-sr build diinn-edge --target rtx-portable --precision fp16,fp32 --max-size 1920x1080",
)

PrecisionsOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="P[,P]",
        show_default="the target's",
        help="fp16, fp32 or int8, comma-separated.",
        rich_help_panel=NETWORK,
    ),
]
SizesOption = Annotated[
    str | None,
    typer.Option(
        metavar="WxH,...",
        help="Input sizes, which each engine serves all. A refine network's input is the enlarged image.",
        rich_help_panel=SIZE,
    ),
]
MaxSizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="WxH", help="Instead of --sizes: every input size up to this one.", rich_help_panel=SIZE
    ),
]
DepthOption = Annotated[
    int | None,
    typer.Option(
        metavar="8|10",
        help="10 builds the float pair too, for video deeper than 8 bits.",
        show_default="8",
        rich_help_panel=NETWORK,
    ),
]
FlavourOption = Annotated[
    FlavourName | None,
    typer.Option(help="The TensorRT to build with, where it is not the target's own."),
]
DlaOption = Annotated[
    bool, typer.Option("--dla", help="The encoder alone, on the device's DLA (fp16, one size).")
]
FallbackOption = Annotated[bool, typer.Option("--dla-fallback", help="Let the GPU run what DLA cannot.")]
DecoderOption = Annotated[
    Literal["engine", "kernels"],
    typer.Option(
        "--decoder",
        help="kernels: the encoder alone, for the decoder of the cuda backend's own kernels.",
        rich_help_panel=NETWORK,
    ),
]
FleetOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A TOML file of targets, bundles and precisions.")
]
HrOption = Annotated[
    Path | None,
    typer.Option(
        "--hr",
        metavar="DIR|VIDEO",
        help="With --cluster: measure each node's engines against these HR references, too.",
    ),
]
ScalesOption = Annotated[
    str | None,
    typer.Option(metavar="S,...", help="Of --hr, at these scales, such as 2,3.", show_default="2"),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE.html", help="Of --hr, quality and speed over the fleet in one page."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Build also what is in the store already.")]


def build(
    bundle: OptionalBundle = None,
    target: Target = None,
    fleet: FleetOption = None,
    flavour: FlavourOption = None,
    dla: DlaOption = False,
    dla_fallback: FallbackOption = False,
    sizes: SizesOption = None,
    max_size: MaxSizeOption = None,
    precision: PrecisionsOption = None,
    depth: DepthOption = None,
    decoder: DecoderOption = "engine",
    force: ForceOption = False,
    cluster: Cluster = None,
    hr: HrOption = None,
    scales: ScalesOption = None,
    report: ReportOption = None,
    json_: Json = False,
) -> None:
    """Build TensorRT engines for a GPU.

    TensorRT for RTX needs no GPU to build; TensorRT builds on the device that will run the engines.
    """
    if dla_fallback and not dla:
        raise OptionError("--dla-fallback says what to do beside --dla: add --dla or leave it out")
    measured = fleet_report(hr, scales, report, cluster)
    options = {
        "flavour": flavour,
        "dla": dla,
        "gpu_fallback": dla_fallback,
        "depth": 8 if depth is None else depth,
        "maps_last": decoder == "kernels",
    }
    if fleet is not None:
        kernels = decoder == "kernels" or None
        _refuse_beside_fleet(bundle, target, precision, sizes, max_size, depth, flavour, dla or None, kernels)
        if cluster is not None:
            _build_on(cluster, fleet, force, measured, json_)
            return
        jobs, elsewhere = _fleet(fleet)
        _report(_run(jobs, force), elsewhere, json_)
        return
    if cluster is not None:
        raise OptionError("--cluster builds what --fleet FILE names: each node what its own GPU needs")
    jobs = _jobs(_requests(bundle, target, precision, sizes, max_size, options))
    _report(_run(jobs, force), [], json_)


def _build_on(cluster: str, fleet: Path, force: bool, report: FleetReport | None, as_json: bool) -> None:
    from edge_sr.engines.fleet import load_fleet
    from edge_sr.farm.building import build_on, for_nodes
    from edge_sr.farm.nodes.connection import ClusterAddress, joined

    wanted = for_nodes(load_fleet(fleet))
    with joined(ClusterAddress.parse(cluster)) as joint:
        found = build_on(joint, wanted, say, force=force)
        quality = [] if report is None else report.measured(joint.ray, found.nodes, wanted, say)
    _show(found.engines, found.elsewhere, as_json, quality)
    if report is not None:
        report.write(quality)


def _refuse_beside_fleet(*given: Any) -> None:
    if any(value is not None for value in given):
        raise OptionError("--fleet FILE says itself what is built, and for what: leave the others out")


def _requests(
    bundle: str | None,
    target: str | None,
    precision: str | None,
    sizes: str | None,
    max_size: str | None,
    options: dict[str, Any],
) -> list[BuildRequest]:
    from edge_sr.bundle import open_bundle
    from edge_sr.engines.build.request import BuildRequest
    from edge_sr.engines.target import load_target
    from edge_sr.sizes import parse_size

    if bundle is None or target is None:
        raise OptionError("give a BUNDLE and --target NAME, or --fleet FILE")
    if not _split(target) or (precision is not None and not _split(precision)):
        raise OptionError("--target and --precision take at least one name, found none")
    asked = {
        "sizes": tuple(parse_size(text, "an entry of --sizes") for text in _split(sizes)),
        "max_size": parse_size(max_size, "--max-size") if max_size else None,
        **options,
        "flavour": _flavour(options["flavour"]),
    }
    opened, gpu = open_bundle(bundle), _gpu_for(target)
    if options["maps_last"]:
        _require_kernels(opened)
    profiles = [load_target(name, gpu) for name in _split(target)]
    return [BuildRequest(opened, p, q, **asked) for p in profiles for q in _split(precision) or [p.precision]]


def _require_kernels(bundle: Any) -> None:
    from edge_sr.backends.cuda.open import joined_form

    if joined_form(bundle) is None:
        raise OptionError(f"there is no decoder of kernels for {bundle.name}: leave out --decoder kernels")


def _split(text: str | None) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()] if text else []
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise OptionError(f"{twice} is asked for twice; name it once")
    return words


def _flavour(name: str | None) -> Any:
    from edge_sr.engines.interface.loader import Flavour

    return None if name is None else Flavour(name)


def _gpu_for(target: str) -> Any:
    from edge_sr.engines.target import said_target
    from edge_sr.machine.gpu import find_gpu

    return find_gpu() if "auto" in _split(target) and not said_target() else None


def _jobs(requests: list[BuildRequest]) -> list[Job]:
    """Each request with its workplace, or the first obstacle."""
    from edge_sr.engines.build.request import find_workplace
    from edge_sr.engines.fleet import command_for

    return [(request, find_workplace(request, command_for(request))) for request in requests]


def _fleet(path: Path) -> tuple[list[Job], list[Elsewhere]]:
    from edge_sr.engines.fleet import load_fleet, requests, split

    return split(requests(load_fleet(path)))


def _run(jobs: list[Job], force: bool) -> list[Built]:
    from edge_sr.engines.build.builder import build
    from edge_sr.engines.build.request import engine_keys
    from edge_sr.engines.store.store import EngineStore

    # All bundles and precisions are checked before the first engine is built.
    for request, workplace in jobs:
        engine_keys(request, workplace)
    store = EngineStore()
    return [
        built for request, workplace in jobs for built in build(request, workplace, store, say, force=force)
    ]


def _warn_of_int8(engines: list[dict[str, Any]]) -> None:
    """NVIDIA documents INT8 on RTX for weights only; that the engines build says nothing about speed."""
    if any(engine["flavour"] == "tensorrt-rtx" and engine["precision"] == "int8" for engine in engines):
        say("note: an INT8 gain is unproven on RTX: measure int8 against fp16 on that GPU with edge-sr bench")


def _report(built: list[Built], elsewhere: list[Elsewhere], as_json: bool) -> None:
    from edge_sr.engines.report import row

    _show([{**row(item.engine), "built": item.fresh} for item in built], elsewhere, as_json)


def _show(
    engines: list[dict[str, Any]],
    elsewhere: list[Elsewhere],
    as_json: bool,
    quality: Sequence[Evaluation] = (),
) -> None:
    from dataclasses import asdict

    from edge_sr.engines.report import table

    _warn_of_int8(engines)
    if as_json:
        found: dict[str, Any] = {"engines": engines, "elsewhere": [asdict(item) for item in elsewhere]}
        if quality:
            found["evaluations"] = [one.mapping() for one in quality]
        print(json.dumps(found, allow_nan=False))
        return
    print("\n".join(table(engines)) if engines else "nothing can be built here")
    if present := sum(not engine["built"] for engine in engines):
        print(f"{present} of {len(engines)} were there already; seconds are those of their build")
    for item in elsewhere:
        print(f"elsewhere: {item.reason}")
    if quality:
        print(f"\n{quality_text(quality)}")
