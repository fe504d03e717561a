"""A TIFF of several pages: each is upscaled as a picture, and the result is a TIFF of as many."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge_sr.errors import EdgeSRError, InterruptedRun, OptionError
from edge_sr.files.atomic import kept_beside, replacing, writing
from edge_sr.files.drafts import drafting
from edge_sr.sizes import Size, size_text
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.networks import Networks
from edge_sr.upscale.run.places import check_output, check_place, require_alike
from edge_sr.upscale.run.report import Report, finished
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Words
from edge_sr.upscale.stills import refuse_film_options, upscale_picture, written_size
from edge_sr.video.image.files.tiff_pages import Pages, join, read_pages
from edge_sr.video.image.formats import output_format
from edge_sr.video.image.read import read_info


def paged(path: Path) -> Pages | None:
    """The pages of a TIFF that has several."""
    pages = read_pages(path)
    return pages if pages is not None and len(pages) > 1 else None


def upscale_pages(request: Request, pages: Pages, controls: Controls) -> Report:
    """All pages or none; what is asked of the size is asked of each. With ``resume`` a result that is there is left.

    Raises ``OptionError`` for an output that is no TIFF, and for a page what ``upscale_picture`` does, naming it.
    """
    refuse_film_options(request)
    source = Path(request.input)
    if request.output is not None:
        _check_form(request, request.output, len(pages))
    # The work is done beside the output, which has a name once the first page's size is known.
    beside = request.output or source
    with _copy(source, beside) as page:
        pages.leave_only(0, page)
        info = read_info(page)
        size = written_size(request, source, info)
        output = request.output or request.default_output(size, source.suffix)
        check_output(request, output)
        if request.resume and not request.overwrite and output.exists():
            require_alike(output, _found, _told(len(pages), size))
            return finished(output, len(pages), input_size=info.size, output_size=size)
        return _upscaled(request, pages, controls, page, output)


def _check_form(request: Request, output: Path, count: int) -> None:
    if output_format(output).name != "TIFF":
        raise OptionError(
            f"{request.input} holds {count} pages, and of the formats that are written TIFF alone holds several: "
            "name a .tif with -o"
        )
    check_place(request.input, output)


def _found(output: Path) -> str:
    """How many pages an output that is there has, and their size."""
    pages = paged(output)
    if pages is None:
        return _told(1, read_info(output).size)
    with _copy(output, output) as page, _errors_named(page, str(output)):
        pages.leave_only(0, page)
        return _told(len(pages), read_info(page).size)


def _told(count: int, first: Size) -> str:
    pages = "1 page" if count == 1 else f"{count} pages"
    return f"{pages}, the first of {size_text(first)}"


@contextlib.contextmanager
def _copy(source: Path, beside: Path) -> Iterator[Path]:
    with kept_beside(beside, source.suffix) as page:
        with writing(str(beside)):
            shutil.copyfile(source, page)
        yield page


def _upscaled(request: Request, pages: Pages, controls: Controls, page: Path, output: Path) -> Report:
    source, reports = Path(request.input), list[Report]()
    own = Networks(keeps=True)
    networks = controls.networks if controls.networks.keeps else own
    asked = dataclasses.replace(request, input=str(page), overwrite=True, resume=False)
    controls.watcher.begin(len(pages), 0)
    try:
        with contextlib.ExitStack() as stack, replacing(output) as whole:
            made = [stack.enter_context(drafting(output)) for _ in pages.pages]
            for number, target in enumerate(made):
                if controls.stop.is_set():
                    raise InterruptedRun(f"stopped after {number} of {len(pages)} pages: nothing was written")
                pages.leave_only(number, page)
                name = f"page {number + 1} of {source.name}"
                watcher = Words(controls.watcher, page.name, name)
                with _errors_named(page, name):
                    one = dataclasses.replace(controls, watcher=watcher, networks=networks)
                    reports.append(upscale_picture(dataclasses.replace(asked, output=target), one))
                controls.watcher.frame(number + 1, 0.0)
            join(made, whole)
    finally:
        controls.watcher.end()
        own.close()
    return _summed(reports, output)


@contextlib.contextmanager
def _errors_named(page: Path, name: str) -> Iterator[None]:
    try:
        yield
    except EdgeSRError as error:
        raise type(error)(str(error).replace(str(page), name)) from error


def _summed(reports: list[Report], output: Path) -> Report:
    first, seconds = reports[0], sum(one.seconds for one in reports)
    return dataclasses.replace(
        first,
        output=str(output),
        frames=len(reports),
        seconds=round(seconds, 3),
        fps=round(len(reports) / seconds, 3) if seconds else 0.0,
        bad_frames=sum(one.bad_frames for one in reports),
        dropped=tuple(dict.fromkeys(name for one in reports for name in one.dropped)),
        warnings=tuple(text for one in reports for text in one.warnings),
    )
