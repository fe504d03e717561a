"""Upscaling a picture, or every picture of a folder."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np

from edge_sr.errors import InputNotFoundError, InterruptedRun, MediaError, OptionError
from edge_sr.machine.memory import BASE_BYTES, require_bytes
from edge_sr.sizes import Region, Size, output_region
from edge_sr.tensors import SMALLEST_SIDE
from edge_sr.upscale.request import (
    Controls,
    Report,
    Request,
    beside_input,
    check_free,
    check_place,
    open_network,
    report,
)
from edge_sr.upscaler import PartTimes, Upscaler
from edge_sr.video.encode.workfolder import replacing
from edge_sr.video.image.pictures import (
    WRITABLE,
    Still,
    StillInfo,
    is_picture_name,
    output_format,
    read_info,
    read_still,
    write_still,
)


def upscale_picture(request: Request, controls: Controls) -> Report:
    """One picture; the output is whole or absent."""
    _refuse_film_options(request)
    source = Path(request.input)
    info = read_info(source)
    size = _written_size(request, info)
    output = request.output or beside_input(request.input, size, _suffix(source))
    output_format(output)
    check_place(request.input, output)
    if not request.overwrite:
        check_free(output)
    network = open_network(request, controls.watcher)
    with network:
        controls.watcher.begin(1, 0)
        began = time.perf_counter()
        times: list[PartTimes] = []
        dropped = _convert(request, source, output, network, controls, times)
        seconds = time.perf_counter() - began
        controls.watcher.end()
        return report(
            network,
            times,
            output=output,
            frames=1,
            seconds=seconds,
            input_size=info.size,
            output_size=size,
            dropped=tuple(dropped),
        )


def upscale_folder(request: Request, controls: Controls) -> Report:
    """Every picture of a folder under its own name; with ``resume`` those that are there are left alone."""
    _refuse_film_options(request)
    source = Path(request.input)
    output = request.output or source.with_name(f"{source.resolve().name}-{request.label}")
    pictures = _pictures(source, output, controls)
    if not request.resume and not request.overwrite:
        for picture in pictures:
            check_free(output / _target_name(picture))
    network = open_network(request, controls.watcher)
    with network:
        return _convert_all(request, pictures, output, network, controls)


def _convert_all(
    request: Request, pictures: list[Path], output: Path, network: Upscaler, controls: Controls
) -> Report:
    info = read_info(pictures[0])
    output.mkdir(exist_ok=True)
    tally = _Tally()
    waiting = [
        picture for picture in pictures if not (request.resume and (output / _target_name(picture)).exists())
    ]
    controls.watcher.begin(len(pictures), len(pictures) - len(waiting))
    began = time.perf_counter()
    for picture in waiting:
        if controls.stop.is_set():
            raise InterruptedRun(
                f"stopped after {tally.done} pictures, all in {output}; go on with: {request.go_on}"
            )
        _convert_one(request, picture, output / _target_name(picture), network, controls, tally)
        resumed = len(pictures) - len(waiting)
        controls.watcher.frame(resumed + tally.done, tally.done / (time.perf_counter() - began))
    controls.watcher.end()
    if tally.bad and (request.strict or tally.done == 0):
        raise MediaError(f"{tally.bad} of {len(pictures)} pictures could not be read: {tally.warnings[0]}")
    return report(
        network,
        tally.times,
        output=output,
        frames=tally.done,
        seconds=time.perf_counter() - began,
        input_size=info.size,
        output_size=_written_size(request, info),
        resumed_frames=len(pictures) - len(waiting),
        bad_frames=tally.bad,
        dropped=tuple(tally.dropped),
        warnings=tuple(tally.warnings),
    )


@dataclasses.dataclass
class _Tally:
    done: int = 0
    bad: int = 0
    times: list[PartTimes] = dataclasses.field(default_factory=list)
    dropped: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


def _convert_one(
    request: Request, source: Path, target: Path, network: Upscaler, controls: Controls, tally: _Tally
) -> None:
    """One picture of many: a damaged one is counted and named, the others go on."""
    try:
        tally.dropped += _convert(request, source, target, network, controls, tally.times)
        tally.done += 1
    except MediaError as error:
        tally.bad += 1
        tally.warnings.append(str(error))
        controls.watcher.say(f"warning: {error}")


def _convert(
    request: Request,
    source: Path,
    target: Path,
    network: Upscaler,
    controls: Controls,
    times: list[PartTimes],
) -> list[str]:
    """One picture; what the network took goes to ``times``, and what its format cannot hold is returned."""
    kind = output_format(target)
    info = read_info(source)
    whole = request.whole_size(info.size)
    _check_memory(source, info, _written_size(request, info))
    still = read_still(source)
    for note in still.notes:
        controls.watcher.say(f"note: {source.name}: {note}")
    larger, spent = _upscaled(still, whole, request.region, network)
    times.append(spent)
    with replacing(target) as temporary:
        dropped = write_still(larger, temporary, kind)
        if dropped and request.strict:
            raise MediaError(
                f"{target} cannot hold {' and '.join(dropped)}: choose another format, or leave out --strict"
            )
    for name in dropped:
        controls.watcher.say(f"warning: left out of {target.name}: {name}")
    return dropped


def _upscaled(still: Still, size: Size, region: Region | None, network: Upscaler) -> tuple[Still, PartTimes]:
    """The picture and, by the same network, its alpha channel as a grey picture; what both took."""
    pixels = network.run(still.pixels, size=size, region=region)
    if still.alpha is None:
        return dataclasses.replace(still, pixels=pixels.frame), pixels.times
    grey = network.run(np.repeat(still.alpha[..., None], 3, axis=2), size=size, region=region)
    alpha = np.ascontiguousarray(grey.frame[..., 1])
    return dataclasses.replace(still, pixels=pixels.frame, alpha=alpha), pixels.times + grey.times


def _written_size(request: Request, info: StillInfo) -> Size:
    if min(info.size) < SMALLEST_SIDE:
        found = "x".join(map(str, info.size))
        least = f"{SMALLEST_SIDE}x{SMALLEST_SIDE}"
        raise MediaError(f"expected a picture of {least} pixels or more, found {found}")
    whole = request.whole_size(info.size)
    if request.region is None:
        return whole
    box = output_region(request.region, info.size, whole)
    return box.width, box.height


def _check_memory(source: Path, info: StillInfo, size: Size) -> None:
    """Both pictures with alpha, and what writing takes on top of the larger one."""
    sample = 4 if info.deep else 1
    need = BASE_BYTES + sample * 4 * (info.size[0] * info.size[1] + 3 * size[0] * size[1])
    require_bytes(need, f"{source.name} at {size[0]}x{size[1]}")


def _suffix(source: Path) -> str:
    return source.suffix if source.suffix.lower() in WRITABLE else ".png"


def _target_name(source: Path) -> str:
    return source.name if source.suffix.lower() in WRITABLE else source.stem + ".png"


def _pictures(source: Path, output: Path, controls: Controls) -> list[Path]:
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output} is a file, expected a folder for the pictures of {source}")
    if output.resolve() == source.resolve():
        raise OptionError(f"the output folder is the input folder {source}: choose another with -o")
    # The folder itself when it is there, else the one it will be made in.
    check_place(str(source), output / "any" if output.is_dir() else output)
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    pictures = [path for path in files if is_picture_name(path)]
    if not pictures:
        raise InputNotFoundError(
            f"the folder {source} holds no picture: expected PNG, JPEG, WebP, TIFF or BMP files"
        )
    if len(pictures) < len(files):
        controls.watcher.say(
            f"note: {len(files) - len(pictures)} files in {source} are no pictures: left out"
        )
    return pictures


def _refuse_film_options(request: Request) -> None:
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
