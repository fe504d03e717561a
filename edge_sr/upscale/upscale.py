"""The door: each input goes to the part that handles its kind."""

from __future__ import annotations

from pathlib import Path

from edge_sr.upscale.inputs.animations import as_film, needs_pillow
from edge_sr.upscale.inputs.pipes import is_pipe, kept_in_file
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.video.image.recognise import is_still
from edge_sr.video.opening import is_opened_by_name


def upscale(request: Request, controls: Controls | None = None) -> Report:
    """Upscales a picture, a film, or a folder of both; ``-`` as input and output are this process's own streams.

    Raises the errors of ``edge_sr.errors``; ``InterruptedRun`` once ``controls.stop`` was set.
    """
    controls = controls or Controls()
    if not request.writes_pipe and not is_opened_by_name(request.input) and Path(request.input).is_dir():
        from edge_sr.upscale.batch.folder import upscale_folder

        return upscale_folder(request, controls)
    return upscale_single(request, controls)


def upscale_single(request: Request, controls: Controls) -> Report:
    """As ``upscale``, of what is no folder."""
    path = Path(request.input)
    if request.writes_pipe:
        from edge_sr.upscale.piped.run import upscale_to_pipe

        return upscale_to_pipe(request, controls)
    if is_pipe(request.input):
        with kept_in_file(request, controls) as kept:
            return upscale_single(kept, controls)
    if not is_opened_by_name(request.input) and is_still(path):
        return _upscale_still(request, path, controls)
    if not is_opened_by_name(request.input) and needs_pillow(path):
        with as_film(request, controls) as film:
            return upscale_single(film, controls)
    from edge_sr.upscale.films import upscale_film

    return upscale_film(request, controls)


def _upscale_still(request: Request, path: Path, controls: Controls) -> Report:
    from edge_sr.upscale.inputs.pages import paged, upscale_pages
    from edge_sr.upscale.stills import upscale_picture

    pages = paged(path)
    return upscale_picture(request, controls) if pages is None else upscale_pages(request, pages, controls)
