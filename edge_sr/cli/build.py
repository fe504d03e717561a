"""``edge-sr build``: engines for one target, several, or a fleet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sr.errors import OptionError

if TYPE_CHECKING:
    from edge_sr.engines.build.builder import Built
    from edge_sr.engines.build.request import BuildRequest, Workplace
    from edge_sr.engines.fleet import Elsewhere

    Job = tuple[BuildRequest, Workplace]

BundleArgument = Annotated[
    str | None, typer.Argument(metavar="BUNDLE", help="A shipped model or a bundle folder.")
]
TargetOption = Annotated[
    str | None, typer.Option(help="Target profiles, comma-separated; auto: this device.")
]
PrecisionOption = Annotated[
    str | None, typer.Option(help="fp16, fp32 or int8, comma-separated; else the target's.")
]
SizesOption = Annotated[
    str | None,
    typer.Option(
        help="Input sizes WxH, comma-separated: one profile each. A refine network's input is the enlarged picture."
    ),
]
MaxSizeOption = Annotated[str | None, typer.Option(help="Instead of --sizes: every input size up to WxH.")]
DepthOption = Annotated[
    int | None, typer.Option(help="8 (default), or 10 to build the float pair for deeper video too.")
]
FlavourOption = Annotated[
    str | None, typer.Option(help="tensorrt or tensorrt-rtx, when not the target's own.")
]
DlaOption = Annotated[
    bool, typer.Option("--dla", help="The encoder alone, on the device's DLA (fp16, one size).")
]
FallbackOption = Annotated[bool, typer.Option("--dla-fallback", help="Let the GPU run what DLA cannot.")]
FleetOption = Annotated[Path | None, typer.Option(help="A TOML file of targets, bundles and precisions.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def build(
    bundle: BundleArgument = None,
    target: TargetOption = None,
    precision: PrecisionOption = None,
    sizes: SizesOption = None,
    max_size: MaxSizeOption = None,
    depth: DepthOption = None,
    flavour: FlavourOption = None,
    dla: DlaOption = False,
    dla_fallback: FallbackOption = False,
    fleet: FleetOption = None,
    json_: JsonOption = False,
) -> None:
    """Build TensorRT engines for a GPU. TensorRT for RTX needs none; TensorRT builds on the device."""
    if dla_fallback and not dla:
        raise OptionError("--dla-fallback says what to do beside --dla: add --dla or leave it out")
    options = {
        "flavour": flavour,
        "dla": dla,
        "gpu_fallback": dla_fallback,
        "depth": 8 if depth is None else depth,
    }
    if fleet is not None:
        _refuse_beside_fleet(bundle, target, precision, sizes, max_size, depth, flavour, dla or None)
        jobs, elsewhere = _fleet(fleet)
        _report(_run(jobs), elsewhere, json_)
        return
    _report(_run(_jobs(_requests(bundle, target, precision, sizes, max_size, options))), [], json_)


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
    from edge_sr.engines.target import load_target, parse_size

    if bundle is None or target is None:
        raise OptionError("give a BUNDLE and --target NAME, or --fleet FILE")
    asked = {
        "sizes": tuple(parse_size(text, "an entry of --sizes") for text in _split(sizes)),
        "max_size": parse_size(max_size, "--max-size") if max_size else None,
        **options,
        "flavour": _flavour(options["flavour"]),
    }
    opened, gpu = open_bundle(bundle), _gpu_for(target)
    profiles = [load_target(name, gpu) for name in _split(target)]
    return [BuildRequest(opened, p, q, **asked) for p in profiles for q in _split(precision) or [p.precision]]


def _split(text: str | None) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()] if text else []


def _flavour(name: str | None) -> Any:
    from edge_sr.engines.interface.loader import Flavour

    known = [flavour.value for flavour in Flavour]
    if name is not None and name not in known:
        raise OptionError(f"--flavour is one of {', '.join(known)}, found {name!r}")
    return None if name is None else Flavour(name)


def _gpu_for(target: str) -> Any:
    from edge_sr.machine.gpu import find_gpu

    return find_gpu() if "auto" in _split(target) else None


def _jobs(requests: list[BuildRequest]) -> list[Job]:
    """Each request with its workplace, or the first obstacle."""
    from edge_sr.engines.build.request import find_workplace
    from edge_sr.engines.fleet import command_for

    return [(request, find_workplace(request, command_for(request))) for request in requests]


def _fleet(path: Path) -> tuple[list[Job], list[Elsewhere]]:
    from edge_sr.engines.fleet import load_fleet, requests, split

    return split(requests(load_fleet(path)))


def _run(jobs: list[Job]) -> list[Built]:
    from edge_sr.engines.build.builder import build
    from edge_sr.engines.build.request import engine_keys
    from edge_sr.engines.store.cache import EngineCache

    # All bundles and precisions are checked before the first engine is built.
    for request, workplace in jobs:
        engine_keys(request, workplace)
    cache = EngineCache()
    return [built for request, workplace in jobs for built in build(request, workplace, cache, _say)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _warn_of_int8(engines: list[dict[str, Any]]) -> None:
    """NVIDIA documents INT8 on RTX for weights only; that the engines build says nothing about speed."""
    if any(engine["flavour"] == "tensorrt-rtx" and engine["precision"] == "int8" for engine in engines):
        _say(
            "note: an INT8 gain is unproven on RTX: measure int8 against fp16 on that GPU with edge-sr bench"
        )


def _report(built: list[Built], elsewhere: list[Elsewhere], as_json: bool) -> None:
    from dataclasses import asdict

    from edge_sr.engines.report import row, table

    engines = [{**row(item.engine), "built": item.fresh} for item in built]
    _warn_of_int8(engines)
    if as_json:
        print(json.dumps({"engines": engines, "elsewhere": [asdict(item) for item in elsewhere]}))
        return
    print("\n".join(table(engines)) if engines else "nothing can be built here")
    if present := sum(not engine["built"] for engine in engines):
        print(f"{present} of {len(engines)} were there already; seconds are those of their build")
    for item in elsewhere:
        print(f"elsewhere: {item.reason}")
