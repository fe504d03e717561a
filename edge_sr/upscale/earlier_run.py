"""What a run of ``--resume`` takes from the one before it: what was chosen, what must be the same, what is done."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.sizes import size_text
from edge_sr.upscale.film_plan import FilmPlan
from edge_sr.upscale.making.maker import RunNetwork
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.places import check_free, require_alike
from edge_sr.upscale.run.report import Report, finished
from edge_sr.upscale.run.request import Request
from edge_sr.version import __version__
from edge_sr.video.encode.workfolder import WorkFolder
from edge_sr.video.film.film import Film
from edge_sr.video.film.identity import input_identity
from edge_sr.video.opening import open_input, picture_stream


def as_before(request: Request, output: Path) -> Request:
    """When a run is gone on with, what was chosen in the earlier one: it may come to something else now."""
    settings = _settings(output) if request.resume else {}
    chosen = {
        name: settings[name]
        for name in ("model", "backend", "precision")
        if getattr(request, name) in (None, "auto") and name in settings
    }
    return dataclasses.replace(request, **chosen)


def run_state(request: Request, plan: FilmPlan, network: RunNetwork, work: WorkFolder) -> dict[str, Any]:
    """What a later run must have in common with this one."""
    encoding = plan.encoding
    salt = work.recorded().get("input", {}).get("salt") if request.resume else None
    settings = {
        "edge-sr": __version__,
        "model": network.model,
        "graphs": sorted(graph.sha256 for graph in network.bundle.description.graphs),
        "backend": network.backend,
        "encoder backend": network.encoder_backend,
        "precision": network.precision,
        "placement": network.scheme,
        "tta": network.tta,
        "size": list(plan.target.size),
        "region": list(request.region or ()),
        "start": str(request.excerpt.start),
        "tone-mapped": request.tonemap,
        "duration": _text(request.excerpt.duration),
        "codec": encoding.codec.name,
        "codec options": dict(encoding.options),
        "pixel format": encoding.layout.name,
        "chroma": plan.recipe.colour.siting,
        "encoder threads": encoding.threads,
        "frames a segment": plan.length,
    }
    return {"input": input_identity(request.input, salt), "settings": settings}


def is_finished(request: Request, output: Path) -> bool:
    """Whether ``--resume`` finds the output there and nothing left to do for it.

    Raises ``OutputExistsError`` for an output that going on would replace without ``--overwrite``.
    """
    if not request.resume or not output.exists():
        return False
    work = WorkFolder(output)
    if work.is_finished or not (work.exists or request.overwrite):
        return True
    if not request.overwrite:
        check_free(output)
    return False


def finished_report(request: Request, film: Film, plan: FilmPlan, controls: Controls) -> Report:
    """The report of a film that an earlier run finished; what that run left behind is tidied up.

    Raises ``OutputExistsError`` when the file that is there is not what this run would make.
    """
    frames = _frames_of(plan)
    settings = _settings(plan.output)
    WorkFolder(plan.output).tidy()
    controls.watcher.say(f"{plan.output} is done already")
    return finished(
        request,
        settings,
        output=plan.output,
        frames=frames,
        input_size=film.info.size,
        output_size=plan.written,
        codec=plan.encoding.codec.name,
    )


def _frames_of(plan: FilmPlan) -> int:
    """How many frames the finished film has, as its headers tell."""
    with open_input(str(plan.output)) as found:
        stream = picture_stream(plan.output.name, found)
        require_alike(plan.output, size_text((stream.width, stream.height)), size_text(plan.written))
        length = Fraction(found.duration or 0, 1_000_000)
        return stream.frames or round(length * (stream.average_rate or 0))


def _settings(output: Path) -> dict[str, Any]:
    settings: dict[str, Any] = WorkFolder(output).recorded().get("settings", {})
    return settings


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)
