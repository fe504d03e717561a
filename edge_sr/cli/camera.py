"""``edge-sr camera``: a camera or stream upscaled live, to a sink, a page, or both."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated

import typer

from edge_sr.cli.options import (
    FILM,
    RUN,
    SIZE,
    Backend,
    Codec,
    Json,
    LiveModel,
    Overwrite,
    Precision,
    Protocols,
    Retune,
    Scale,
    Size,
    Threads,
)
from edge_sr.errors import InterruptedRun, OptionError
from edge_sr.sizes import size_text

if TYPE_CHECKING:
    from fractions import Fraction

    from edge_sr.camera.request import CameraRequest, LiveReport
    from edge_sr.video.live.address import Address
    from edge_sr.video.live.outlets import Outlet


EXAMPLES = (
    "edge-sr camera /dev/video0 --serve 8080 --scale 2 --model diinn-nano",
    "edge-sr camera rtsp://192.0.2.7/cam -o out.mkv --scale 2 --fps 25",
)

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="/dev/videoN, csi://N, rtsp://, rtmp://, rtp://, udp://, tcp://, http://, https://, "
        "srt:// where FFmpeg has it, gst:PIPELINE, - (y4m), pipe:?size=WxH&rate=N&format=rgb24 (raw), or a file.",
    ),
]
MinScale = Annotated[
    str | None,
    typer.Option(
        "--min-scale",
        metavar="S",
        help="With --fps: the network's scale never falls below it.",
        show_default="1",
        rich_help_panel=SIZE,
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(
        "--fps",
        metavar="N",
        help="Take N frames a second; the network's scale follows the load.",
        rich_help_panel=FILM,
    ),
]
Duration = Annotated[
    float | None,
    typer.Option("--duration", metavar="SECONDS", help="Stop after so long.", rich_help_panel=FILM),
]
StillThreshold = Annotated[
    int,
    typer.Option(
        "--still-threshold",
        metavar="T",
        help="Levels of 255 by which an unchanged tile may differ; 0 is exact.",
        rich_help_panel=FILM,
    ),
]
Sink = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="SINK",
        help="A file, rtsp://, rtmp://, udp://, tcp://, srt:// where FFmpeg has it, /dev/videoN or - (y4m).",
        rich_help_panel=RUN,
    ),
]
Serve = Annotated[
    str | None,
    typer.Option(
        "--serve", metavar="[HOST:]PORT", help="Show it on a page for browsers.", rich_help_panel=RUN
    ),
]


def camera(
    source: Source,
    scale: Scale = None,
    size: Size = None,
    min_scale: MinScale = None,
    model: LiveModel = "diinn-edge",
    backend: Backend = "auto",
    precision: Precision = "auto",
    threads: Threads = None,
    retune: Retune = False,
    fps: Fps = None,
    duration: Duration = None,
    still_threshold: StillThreshold = 0,
    codec: Codec = None,
    output: Sink = None,
    serve: Serve = None,
    overwrite: Overwrite = False,
    allow_protocols: Protocols = None,
    as_json: Json = False,
) -> None:
    """Upscale a camera or a stream as it comes in, the newest frame first."""
    from edge_sr.camera.request import CameraRequest
    from edge_sr.upscale.run.networks import NetworkChoice
    from edge_sr.video.live.address import parse_address
    from edge_sr.video.protocols import parse_protocols
    from edge_sr.web.place import parse_place

    if output is None and serve is None:
        raise OptionError("nowhere to show it: give -o SINK, --serve PORT or both")
    _check_companions(output, codec, fps, min_scale)
    address = parse_address(source)
    outlet = None if output is None else _outlet(address, output, codec, overwrite)
    exact, wanted = _target(scale, size)
    request = CameraRequest(
        source=address,
        outlet=outlet,
        place=None if serve is None else parse_place(serve, "--serve"),
        scale=exact,
        size=wanted,
        rate=None if fps is None else _rate(fps),
        duration=_checked_duration(duration),
        lowest_scale=_lowest(min_scale or "1", exact),
        still_threshold=_threshold(still_threshold),
        network=NetworkChoice(model, backend, precision, threads, retune=retune),
        protocols=parse_protocols(allow_protocols),
    )
    _run(request, as_json=as_json, on_stderr=output == "-")


def _run(request: CameraRequest, *, as_json: bool, on_stderr: bool) -> None:
    from edge_sr.camera.run import run
    from edge_sr.cli.terminal.interrupts import stopping
    from edge_sr.cli.terminal.progress import Talker

    talker = Talker()
    with stopping(talker.say) as stop:
        report = run(request, stop, talker.say)
    typer.echo(json.dumps(report.mapping(), allow_nan=False) if as_json else summary(report), err=on_stderr)
    if report.interrupted:
        raise InterruptedRun(_stopped(request.outlet))


def _stopped(outlet: Outlet | None) -> str:
    if outlet is None:
        return "stopped; nothing was recorded, as no -o was given"
    address = outlet.address
    return f"stopped: {address.shown} plays what was written so far" if address.kind == "file" else "stopped"


def summary(report: LiveReport) -> str:
    """The report in two lines."""
    source, result = size_text(report.input_size), size_text(report.output_size)
    latency = ", ".join(f"{name} {value:.0f}" for name, value in report.latency_ms.items())
    return (
        f"{report.frames_out} of {report.frames_in} frames, {source} to {result}, {report.fps:.1f} frames/s, "
        f"by {report.model} on {report.backend} {report.precision}\n"
        f"{_held(report)}{report.dropped} dropped, {report.reused_tiles} tiles reused, "
        f"{report.scale_changes} scale changes, {report.reconnects} reconnects, latency in ms: {latency}"
    )


def _held(report: LiveReport) -> str:
    return f"one frame in {report.every} taken, {report.held_fps:g} frames/s, " if report.every > 1 else ""


def _check_companions(output: str | None, codec: str | None, fps: str | None, min_scale: str | None) -> None:
    """Options that mean nothing without another are refused rather than ignored."""
    if codec is not None and output is None:
        raise OptionError("--codec is for a sink: give -o too, or leave it out")
    if min_scale is not None and fps is None:
        raise OptionError("--min-scale is for a deadline: give --fps too, or leave it out")


def _outlet(source: Address, output: str, codec: str | None, overwrite: bool) -> Outlet:
    from edge_sr.video.live.address import parse_address, same_place
    from edge_sr.video.live.outlets import plan_outlet

    sink = parse_address(output)
    if same_place(source, sink):
        raise OptionError("the sink is the source: name another")
    return plan_outlet(sink, codec, overwrite)


def _target(scale: str | None, size: str | None) -> tuple[Fraction | None, tuple[int, int] | None]:
    from edge_sr.sizes import parse_scale, parse_size

    if (scale is None) == (size is None):
        raise OptionError("give one of --scale and --size")
    return (None if scale is None else parse_scale(scale)), (
        None if size is None else parse_size(size, "--size")
    )


def _rate(text: str) -> Fraction:
    from fractions import Fraction

    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise OptionError(f"--fps must be a number such as 25 or 30000/1001, found {text!r}") from error
    if not 1 <= rate <= 240:
        raise OptionError(f"--fps must lie between 1 and 240, found {text}")
    return rate.limit_denominator(1001)


def _lowest(text: str, scale: Fraction | None) -> float:
    from edge_sr.sizes import parse_scale

    lowest = parse_scale(text)
    if scale is not None and lowest > scale:
        raise OptionError(f"--min-scale {text} is above --scale {float(scale):g}: lower it")
    return float(lowest)


def _checked_duration(duration: float | None) -> float | None:
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise OptionError(f"--duration must be longer than 0 seconds, found {duration:g}")
    return duration


def _threshold(value: int) -> int:
    if not 0 <= value <= 255:
        raise OptionError(f"--still-threshold must lie between 0 and 255, found {value}")
    return value
