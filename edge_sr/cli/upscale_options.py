"""The options that ``edge-sr upscale`` alone has."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from edge_sr.cli.options import FILM, NETWORK, PIPE, RUN, SIZE, DecoderName

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Films (anything FFmpeg opens), images, folders of both, and lists of these, one a line: @FILE; "
        "or -, frames from standard input.",
    ),
]
# As it was typed, for the slash at a folder's end tells that it is one.
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE|DIR|-",
        help="The file to write, the folder for several, or - for frames to standard output; by default NAME-WxH.EXT "
        "beside the input.",
        rich_help_panel=RUN,
    ),
]
Height = Annotated[
    int | None,
    typer.Option(
        "--height", metavar="H", help="Height of the output; the width follows.", rich_help_panel=SIZE
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="X,Y,W,H", help="Only this part, in input pixels.", rich_help_panel=SIZE
    ),
]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="T", help="Begin here: seconds, or HH:MM:SS.", rich_help_panel=FILM),
]
Duration = Annotated[
    str | None,
    typer.Option("--duration", metavar="T", help="Stop after so long.", rich_help_panel=FILM),
]
Crf = Annotated[
    int | None,
    typer.Option(
        "--crf",
        metavar="N",
        help="Constant quality on the codec's own scale; lower is better and larger.",
        show_default="x264 18, x265 20, svt-av1 26, vp9 24, nvenc 23, nvv4l2 24",
        rich_help_panel=FILM,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="P",
        help="The codec's own word for speed; of prores its profile.",
        show_default="x264 and x265 medium, svt-av1 8, vp9 4, prores hq, nvenc p5, nvv4l2 3",
        rich_help_panel=FILM,
    ),
]
Hwaccel = Annotated[
    DecoderName,
    typer.Option(
        "--hwaccel",
        help="Where films are decoded: on an NVIDIA GPU where it can (auto), the CPU (none), the GPU or fail (cuda).",
        rich_help_panel=FILM,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with an interrupted run; what is done is left alone.", rich_help_panel=RUN
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what would be done and about how long it takes; write nothing.",
        rich_help_panel=RUN,
    ),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Average all eight turns and mirrorings of each frame: closer to the truth, eight times the work.",
        rich_help_panel=NETWORK,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object to stdout; of several inputs one a line, as each ends.",
        rich_help_panel=RUN,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Fail when anything is damaged or left out.", rich_help_panel=RUN),
]
Recursive = Annotated[
    bool,
    typer.Option("--recursive", help="Of a folder, what lies in its sub-folders too.", rich_help_panel=RUN),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch",
        help="Of a folder, what comes into it too, as it is finished, until Ctrl-C.",
        rich_help_panel=RUN,
    ),
]
Tonemap = Annotated[
    bool,
    typer.Option(
        "--tonemap", help="Bring HDR films to SDR, for displays that show no HDR.", rich_help_panel=FILM
    ),
]
InputFormat = Annotated[
    Literal["y4m", "rawvideo"] | None,
    typer.Option(
        "--input-format",
        help="What comes from standard input, the input -.",
        show_default="y4m",
        rich_help_panel=PIPE,
    ),
]
OutputFormat = Annotated[
    Literal["y4m", "rawvideo"] | None,
    typer.Option(
        "--output-format",
        help="What goes to standard output, -o -.",
        show_default="y4m",
        rich_help_panel=PIPE,
    ),
]
PixelFormat = Annotated[
    str | None,
    typer.Option(
        "--pixel-format",
        metavar="F",
        help="Of raw frames, in FFmpeg's words: yuv420p, yuv422p10le, gray, rgb24, bgr24, rgb48le.",
        rich_help_panel=PIPE,
    ),
]
VideoSize = Annotated[
    str | None,
    typer.Option("--video-size", metavar="WxH", help="Of raw frames that come in.", rich_help_panel=PIPE),
]
Framerate = Annotated[
    str | None,
    typer.Option("--framerate", metavar="R", help="Of raw frames: 25 or 30000/1001.", rich_help_panel=PIPE),
]
