"""The door: a request goes to the part that handles its kind of input."""

from __future__ import annotations

from pathlib import Path

from edge_sr.upscale.pipes import is_pipe, kept_in_file
from edge_sr.upscale.request import Controls, Report, Request
from edge_sr.video.image.recognise import is_still
from edge_sr.video.opening import is_url


def upscale(request: Request, controls: Controls | None = None) -> Report:
    """Upscales a picture, a film, or a folder of both.

    Raises the errors of ``edge_sr.errors``; ``InterruptedRun`` once ``controls.stop`` was set.
    """
    controls = controls or Controls()
    path = Path(request.input)
    if is_pipe(request.input):
        with kept_in_file(request, controls) as kept:
            return upscale(kept, controls)
    if not is_url(request.input) and path.is_dir():
        from edge_sr.upscale.batch.folder import upscale_folder

        return upscale_folder(request, controls)
    if not is_url(request.input) and is_still(path):
        from edge_sr.upscale.stills import upscale_picture

        return upscale_picture(request, controls)
    from edge_sr.upscale.films import upscale_film

    return upscale_film(request, controls)
