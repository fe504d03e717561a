"""The door: a folder is a batch, all else one input."""

from __future__ import annotations

from pathlib import Path

from edge_sr.upscale.inputs.single import upscale_single
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
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
