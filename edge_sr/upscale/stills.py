"""Upscaling one picture."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import numpy as np

from edge_sr.errors import MediaError, MemoryLimitError, OptionError
from edge_sr.files.atomic import replacing
from edge_sr.machine.memory import BASE_BYTES, require_bytes
from edge_sr.sizes import Region, Size, output_region, size_text
from edge_sr.tensors import SMALLEST_SIDE
from edge_sr.upscale.layers import Layers
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.medians import PartMedians
from edge_sr.upscale.run.places import check_output, require_alike
from edge_sr.upscale.run.report import Report, finished, report
from edge_sr.upscale.run.request import Request
from edge_sr.upscaler import PartTimes, Upscaler
from edge_sr.video.encode.containers import known_container
from edge_sr.video.frames.colour import HDR_TRANSFERS
from edge_sr.video.frames.tonemap import ToneMap
from edge_sr.video.image.formats import check_size, output_format, suffix_for
from edge_sr.video.image.placement import enlarged
from edge_sr.video.image.read import read_info, read_still
from edge_sr.video.image.still import Still, StillInfo, eight_bits
from edge_sr.video.image.write import write_still


def upscale_picture(request: Request, controls: Controls) -> Report:
    """One picture; the output is whole or absent. With ``resume`` one that is there is left alone.

    What decodes of a damaged one is upscaled, with a warning; ``MediaError`` when nothing does, or with ``strict``.
    """
    refuse_film_options(request)
    source = Path(request.input)
    info = read_info(source)
    size = written_size(request, source, info)
    suffix = suffix_for(source, info.content, deep=info.deep)
    output = request.output or request.default_output(size, suffix)
    _check_is_picture(source, info, output)
    check_size(output, size)
    check_output(request, output)
    if request.resume and not request.overwrite and output.exists():
        return _report_of_finished(info, output, size)
    _check_memory(source, info, size)
    with controls.networks.opened(request, controls.watcher) as network:
        controls.watcher.begin(1, 0)
        try:
            began = time.perf_counter()
            still = _suited(request, _readable(request, source, controls), output)
            whole = request.whole_size(info.size)
            larger, times = _upscaled(still, whole, request.region, network, controls.stop)
            dropped = _write(request, larger, output, controls)
            return report(
                network,
                PartMedians([times]),
                output=output,
                frames=1,
                seconds=time.perf_counter() - began,
                input_size=info.size,
                output_size=size,
                dropped=dropped,
                bad_frames=int(bool(still.damage)),
                warnings=(f"{source}: {still.damage}",) if still.damage else (),
            )
        finally:
            controls.watcher.end()


def _check_is_picture(source: Path, info: StillInfo, output: Path) -> None:
    """A picture under a film's name is told for what it is."""
    if known_container(output) is not None:
        kind = f"{info.content} picture" if info.content else "picture"
        raise OptionError(
            f"{source} is a {kind} by its content: name a picture with -o, such as {output.stem}.png"
        )


def _report_of_finished(info: StillInfo, output: Path, size: Size) -> Report:
    """The report of a picture that an earlier run made; ``OutputExistsError`` for one of another size."""
    require_alike(output, lambda path: size_text(read_info(path).size), size_text(size))
    return finished(output, 1, input_size=info.size, output_size=size)


def _readable(request: Request, source: Path, controls: Controls) -> Still:
    """The picture, what is damaged or unkept of it said; ``MediaError`` with ``strict``."""
    still = _read(source)
    for note in still.notes:
        controls.watcher.say(f"note: {source.name}: {note}")
    if still.damage:
        if request.strict:
            raise MediaError(f"{source} is {still.damage}; without --strict what decodes is upscaled")
        controls.watcher.say(f"warning: {source.name} is {still.damage}; upscaled as far as it decodes")
    return still


def _suited(request: Request, still: Still, output: Path) -> Still:
    """An HDR picture brought to SDR where that is asked for; it never becomes 8 bits of HDR."""
    transfer = still.hdr_transfer
    if transfer is None:
        return still
    if request.tonemap:
        signal = still.pixels / np.float32(255) if still.pixels.dtype == np.uint8 else still.pixels
        metadata = still.metadata.without_colours()
        shown = ToneMap(transfer, None)(signal)
        pixels = shown if output_format(output).deep else eight_bits(shown)
        return dataclasses.replace(still, pixels=pixels, metadata=metadata)
    entry = output_format(output)
    if not entry.hdr:
        raise OptionError(
            f"{request.input} is HDR, {HDR_TRANSFERS[transfer]}, and {entry.name} holds 8 bits: write it as .png or "
            ".avif, or bring it to SDR with --tonemap"
        )
    return still


def _write(request: Request, larger: Still, target: Path, controls: Controls) -> tuple[str, ...]:
    """Writes the picture whole or not at all; gives what it is without."""
    with replacing(target) as temporary:
        dropped = (*larger.lost, *write_still(larger, temporary, output_format(target)))
        if dropped and request.strict:
            raise MediaError(
                f"{target} would be without {' and '.join(dropped)}: choose another format, or leave out --strict"
            )
    for name in dropped:
        controls.watcher.say(f"warning: left out of {target.name}: {name}")
    return dropped


def _read(source: Path) -> Still:
    try:
        return read_still(source)
    except MemoryError as error:
        raise MemoryLimitError(f"{source} does not fit into memory: use a machine with more") from error
    except OSError as error:
        raise MediaError(f"{source} cannot be read: {error.strerror or error}") from error


def _upscaled(
    still: Still, size: Size, region: Region | None, network: Upscaler, stop: threading.Event
) -> tuple[Still, PartTimes]:
    """The picture and, by the same network, its alpha channel as a grey picture; what both took."""
    layers = Layers(still.pixels, still.alpha)
    results = (network.run(layer, size=size, region=region, stop=stop) for layer in layers)
    colours = next(results)
    alpha, times = layers.enlarged_alpha(colours, results)
    given = still.pixels.shape[1], still.pixels.shape[0]
    box = None if region is None else output_region(region, given, size)
    metadata, lost = still.metadata.placed(enlarged(given, size, box))
    larger = dataclasses.replace(
        still, pixels=colours.frame, alpha=alpha, metadata=metadata, lost=(*still.lost, *lost)
    )
    return larger, times


def written_size(request: Request, source: Path, info: StillInfo) -> Size:
    """``(width, height)`` of the output; ``MediaError`` for a picture too small, ``OptionError`` for one too large."""
    if min(info.size) < SMALLEST_SIDE:
        least = size_text((SMALLEST_SIDE, SMALLEST_SIDE))
        raise MediaError(
            f"expected a picture of {least} pixels or more, found {source} of {size_text(info.size)}"
        )
    whole = request.whole_size(info.size)
    if request.region is None:
        return whole
    box = output_region(request.region, info.size, whole)
    return box.width, box.height


def _check_memory(source: Path, info: StillInfo, size: Size) -> None:
    """Both pictures with alpha, and what writing takes on top of the larger one."""
    sample = 4 if info.deep else 1
    need = BASE_BYTES + sample * 4 * (info.size[0] * info.size[1] + 3 * size[0] * size[1])
    require_bytes(need, f"{source.name} at {size_text(size)}")


def refuse_film_options(request: Request) -> None:
    given = {
        "--codec": request.codec,
        "--crf": request.crf,
        "--preset": request.preset,
        "--start": request.excerpt.start or None,
        "--duration": request.excerpt.duration,
    }
    for option, value in given.items():
        if value is not None:
            raise OptionError(f"{option} is for films, and {request.input} is a picture: leave it out")
