"""The options that several commands share: each has one name, one help text and one group, defined here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

# Groups of the help, in the order in which a command lists its options.
SIZE, NETWORK, FILM, PIPE, RUN = "Size", "Network", "Film", "Pipe", "Run"

BackendName: TypeAlias = Literal[
    "auto", "native", "onnxruntime", "openvino", "cuda", "tensorrt", "tensorrt-rtx"
]
PrecisionName: TypeAlias = Literal["auto", "fp32", "bf16", "fp16", "int8"]
DecoderName: TypeAlias = Literal["auto", "none", "cuda"]
FlavourName: TypeAlias = Literal["tensorrt", "tensorrt-rtx"]
DeviceName: TypeAlias = Literal["cpu", "cuda"]

CODECS = (
    "x264",
    "x265",
    "svt-av1",
    "vp9",
    "prores",
    "ffv1",
    "h264_nvenc",
    "hevc_nvenc",
    "av1_nvenc",
    "h264_nvv4l2",
    "hevc_nvv4l2",
)


def _package() -> Path:
    return Path(__file__).parents[1]


def model_names() -> list[str]:
    """The shipped models, by their folders alone: completion must not read what they hold."""
    return sorted(path.parent.name for path in (_package() / "bundles").glob("*/bundle.json"))


def target_names() -> list[str]:
    """The target profiles that come with the package or, in a checkout, lie beside it."""
    folders = (_package() / "engines" / "targets", _package().parent / "engines" / "targets")
    return sorted(path.stem for folder in folders for path in folder.glob("*.toml"))


def complete_models(incomplete: str) -> list[str]:
    return [name for name in model_names() if name.startswith(incomplete)]


def complete_targets(incomplete: str) -> list[str]:
    """Completes the last name of a comma-separated list."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in ["auto", *target_names()] if name.startswith(last)]


def complete_codecs(incomplete: str) -> list[str]:
    return [name for name in CODECS if name.startswith(incomplete)]


MODELS = "|".join([*model_names(), "BUNDLE"])

Scale = Annotated[
    str | None,
    typer.Option(
        "--scale", metavar="S", help="How much larger, 1 to 64, such as 2 or 2.7.", rich_help_panel=SIZE
    ),
]
Size = Annotated[
    str | None,
    typer.Option("--size", metavar="WxH", help="Exact size of the output.", rich_help_panel=SIZE),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar=MODELS,
        help="A shipped network or a bundle's folder.",
        autocompletion=complete_models,
        show_default="the one that suits the input",
        rich_help_panel=NETWORK,
    ),
]
_BUNDLE = typer.Argument(
    metavar=MODELS, help="A shipped network or a bundle's folder.", autocompletion=complete_models
)
BundleArgument = Annotated[str, _BUNDLE]
OptionalBundle = Annotated[str | None, _BUNDLE]
LiveModel = Annotated[
    str,
    typer.Option(
        "--model",
        metavar=MODELS,
        help="A shipped network or a bundle's folder.",
        autocompletion=complete_models,
        rich_help_panel=NETWORK,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME[,NAME]|auto",
        help="Target profiles; auto: this machine's GPU. An unknown name lists them all.",
        autocompletion=complete_targets,
    ),
]
Backend = Annotated[
    BackendName,
    typer.Option(
        "--backend",
        help="What runs the network; auto measures what is installed, once. TensorRT is asked for by name.",
        rich_help_panel=NETWORK,
    ),
]
Precision = Annotated[
    PrecisionName,
    typer.Option(
        "--precision",
        help="Number format of the network; auto takes the fastest whose stated loss is within the budget.",
        rich_help_panel=NETWORK,
    ),
]
# More than any machine has cores; a library asked for as many threads would take the machine down.
MOST_THREADS = 1024
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        max=MOST_THREADS,
        help=f"CPU threads for the network, 1 to {MOST_THREADS}.",
        show_default="all cores that the process may use",
        rich_help_panel=NETWORK,
    ),
]
Retune = Annotated[
    bool,
    typer.Option(
        "--retune",
        help="Measure again what auto chooses by: backends and precisions on this machine.",
        rich_help_panel=NETWORK,
    ),
]
Codec = Annotated[
    str | None,
    typer.Option(
        "--codec",
        metavar="|".join(CODECS),
        help="Encoder of the output. NVIDIA GPUs have nvenc, a Jetson nvv4l2.",
        autocompletion=complete_codecs,
        show_default="x264, in WebM vp9",
        rich_help_panel=FILM,
    ),
]
Protocols = Annotated[
    str | None,
    typer.Option(
        "--allow-protocols",
        metavar="P,...",
        help="What a playlist may open beside files of its folder, or an address beside addresses: file,http or all.",
        rich_help_panel=RUN,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an output that exists.", rich_help_panel=RUN),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local[:N]|HOST:PORT|auto",
        help="Work on the nodes of a Ray cluster, or on N parts at a time on this machine (local); auto: the cluster "
        "that this machine belongs to.",
        rich_help_panel=RUN,
    ),
]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        help="Of a cluster, take nodes that compute otherwise too: pictures may differ by one level.",
        rich_help_panel=RUN,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object to stdout.", rich_help_panel=RUN),
]

EXIT_CODES = (
    "Exit codes: 0 done; 2 bad or contradictory options; 3 a package or library to install; 4 an input that is "
    "missing, unreadable or wrong; 5 disk, memory, device or engine trouble; 130 interrupted."
)


def closing(*examples: str) -> str:
    """The end of a command's help: its examples, a line each, and the exit codes."""
    listed = "\n".join(["Examples:", *(f"  {example}" for example in examples)])
    return f"{listed}\n\n{EXIT_CODES}"
