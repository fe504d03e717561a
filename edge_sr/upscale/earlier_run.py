"""What a run of ``--resume`` takes from the one before it: what was chosen, what must be the same, what is done."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import threading
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.bundle import open_bundle
from edge_sr.errors import InterruptedRun
from edge_sr.sizes import size_text
from edge_sr.upscale.film_plan import FilmPlan
from edge_sr.upscale.making.maker import RunNetwork
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.places import check_free, not_ours, require_alike
from edge_sr.upscale.run.report import Report, finished
from edge_sr.upscale.run.request import Request
from edge_sr.version import __version__
from edge_sr.video.encode.origin import MODEL, NETWORK_FILES, OF_INPUT, SETTINGS, changes, noted_origin
from edge_sr.video.encode.workfolder import WorkFolder
from edge_sr.video.film.film import Film
from edge_sr.video.film.identity import input_identity
from edge_sr.video.mux.arrival import pictures_in
from edge_sr.video.opening import open_input, picture_stream

# Settings that another version may choose otherwise.
OF_ENCODER = ("codec options", "pixel format", "chroma")


def as_before(request: Request, output: Path) -> Request:
    """When a run is gone on with, what was chosen in the earlier one: it may come to something else now."""
    settings = WorkFolder(output).settings if request.resume else {}
    chosen = {
        name: settings[name]
        for name in ("model", "backend", "precision")
        if getattr(request, name) in (None, "auto") and name in settings
    }
    return dataclasses.replace(request, **chosen)


def run_state(request: Request, plan: FilmPlan, network: RunNetwork, work: WorkFolder) -> dict[str, Any]:
    """What a later run must have in common with this one."""
    salt = work.recorded().get("input", {}).get("salt") if request.resume else None
    settings = {
        **_asked(request, plan),
        "edge-sr": __version__,
        MODEL: network.model,
        NETWORK_FILES: _digest(graph.sha256 for graph in network.bundle.description.graphs),
        "backend": network.backend,
        "encoder backend": network.encoder_backend,
        "precision": network.precision,
        "placement": network.scheme,
        "encoder threads": plan.encoding.threads,
        "frames a segment": plan.length,
    }
    return {"input": input_identity(request.input, salt), SETTINGS: settings}


def _asked(request: Request, plan: FilmPlan) -> dict[str, Any]:
    """What is known of a run before its network is."""
    encoding = plan.encoding
    return {
        "tta": request.tta,
        "size": list(plan.target.size),
        "region": list(request.region or ()),
        "start": str(request.excerpt.start),
        "tone-mapped": plan.tone_mapped,
        "duration": None if request.excerpt.duration is None else str(request.excerpt.duration),
        "codec": encoding.codec.name,
        "codec options": dict(encoding.options),
        "pixel format": encoding.layout.name,
        "chroma": plan.recipe.colour.siting,
    }


def _digest(hashes: Iterable[str]) -> str:
    """One hash for all, whatever their order."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


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

    Raises ``OutputExistsError`` when the file that is there is not what this run would make: another size, other input
    or options as far as they are noted on it, or so many frames more or fewer that it is of another film or excerpt.
    """
    require_alike(plan.output, _picture_size, size_text(plan.written))
    state = WorkFolder(plan.output).recorded() or noted_origin(plan.output)
    origin = {part: state.get(part, {}) for part in ("input", SETTINGS)}
    if found := changes(origin, _expected(request, plan, origin)):
        raise not_ours(plan.output, "; ".join(found))
    frames = _frames_of(plan.output)
    if not _alike(frames, film.info.frames):
        controls.watcher.say(f"note: {plan.output} is not as long as its input says: counting frames")
        frames = _counted_frames(film, plan.output, controls.stop)
    WorkFolder(plan.output).tidy()
    return finished(
        plan.output,
        frames,
        origin[SETTINGS],
        input_size=film.info.size,
        output_size=plan.written,
        codec=plan.encoding.codec.name,
    )


def _expected(request: Request, plan: FilmPlan, origin: Mapping[str, Any]) -> dict[str, Any]:
    """``origin`` as it would be of a film that this run made, as far as that is known before its network is.

    What was left to the program may come to something else now, and so may the encoder's settings in another version:
    neither makes a film another one.
    """
    source, settings = dict(origin["input"]), dict(origin[SETTINGS])
    asked = _asked(request, plan)
    if settings.get("edge-sr") != __version__:
        asked = {key: value for key, value in asked.items() if key not in OF_ENCODER}
    if request.model is not None:
        asked[MODEL] = open_bundle(request.model).name
    if request.precision != "auto":
        asked["precision"] = request.precision
    settings.update((key, value) for key, value in asked.items() if key in settings)
    given = input_identity(request.input, "")
    source.update((key, given.get(key)) for key in OF_INPUT if key in source)
    return {"input": source, SETTINGS: json.loads(json.dumps(settings))}


def _picture_size(film: Path) -> str:
    with open_input(str(film)) as found:
        stream = picture_stream(film.name, found)
        return size_text((stream.width, stream.height))


def _frames_of(film: Path) -> int:
    """How many frames a finished film has, as its headers tell."""
    with open_input(str(film)) as found:
        stream = picture_stream(film.name, found)
        length = Fraction(found.duration or 0, 1_000_000)
        return stream.frames or round(length * (stream.average_rate or 0))


def _alike(found: int, wanted: int) -> bool:
    """Whether two counts of frames may be of one film: headers round, and a bad frame may decode elsewhere."""
    return abs(found - wanted) <= 2 + max(found, wanted) // 20


def _counted_frames(film: Film, output: Path, stop: threading.Event) -> int:
    """How many frames the output holds, refused where they are not as many as the film gives.

    The film's own are decoded: cut off or damaged, it promises more than its result can hold.
    """
    held, given = pictures_in([output]), 0
    # Headers that promise more are believed once more than this decodes.
    enough = held + held // 10 + 4
    for _ in itertools.islice(film.frames(), enough):
        given += 1
        if stop.is_set():
            raise InterruptedRun(f"stopped while the frames of {output} were compared with its input's")
    if not _alike(held, given):
        wanted = max(given, film.info.frames) if given == enough else given
        require_alike(output, lambda _: f"{held} frames", f"{wanted} frames")
    return held
