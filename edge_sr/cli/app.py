"""The ``edge-sr`` command: what it is called with, and how errors become exit codes.

Every subcommand is a function in the file of its name. A subcommand's file is imported only when it is called, so
that ``edge-sr --help`` stays quick.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from edge_sr.cli.options import closing
from edge_sr.cli.plain_help import plain, speak_plainly
from edge_sr.cli.several_values import spelled_out
from edge_sr.cli.terminal.interrupts import INTERRUPTED, repeat_swallowed
from edge_sr.cli.terminal.streams import enduring_streams
from edge_sr.errors import EdgeSRError, UnknownNameError, as_ours
from edge_sr.machine.process_title import hide_secrets
from edge_sr.masking import MaskedStream, remember
from edge_sr.version import __version__


@dataclasses.dataclass(frozen=True)
class Entry:
    """What ``edge-sr --help`` says of a command before its file is imported."""

    help: str
    panel: str


UPSCALE, MEASURE, PREPARE = "Upscale", "Look and measure", "Prepare networks and engines"

# In the order in which --help lists them; each is a function in the module of its name.
COMMANDS: dict[str, Entry] = {
    "upscale": Entry("Upscale films and images, one or many, to any size.", UPSCALE),
    "camera": Entry("Upscale a camera or a stream live.", UPSCALE),
    "serve": Entry("Upscale pictures and films over HTTP.", UPSCALE),
    "models": Entry("List the networks that come with Edge SR.", MEASURE),
    "doctor": Entry("Say what works on this machine, and what to install for the rest.", MEASURE),
    "evaluate": Entry("Measure a network's quality against HR references.", MEASURE),
    "bench": Entry("Measure a network's speed on this machine.", MEASURE),
    "export": Entry("Turn a checkpoint or an ONNX model into a bundle.", PREPARE),
    "calibrate": Entry("Add INT8 graphs to a bundle, within a budget of PSNR loss.", PREPARE),
    "build": Entry("Build a bundle's TensorRT engines for target GPUs.", PREPARE),
    "engines": Entry("List, show, verify or prune built engines.", PREPARE),
    "train": Entry("Train a network from a model spec.", PREPARE),
}


class LazyGroup(TyperGroup):
    """A command group that imports a command's file when that command is called, not when it is listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_params(self, ctx: Any) -> list[Any]:
        return list(plain(super().get_params(ctx)))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        return entry and TyperCommand(cmd_name, help=entry.help, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise UnknownNameError.among("command", args[0], list(COMMANDS), "; see: edge-sr --help")
        name, command, rest = super().resolve_command(ctx, args)
        if name is None:
            return name, command, rest
        loaded = load_command(name)
        return name, loaded, spelled_out(loaded, rest)


def load_command(name: str) -> Any:
    """The real command: ``edge_sr.cli.NAME`` has a function of that name, or an ``app`` with commands of its own."""
    module = importlib.import_module(f"edge_sr.cli.{name}")
    group = getattr(module, "app", None) or typer.Typer(pretty_exceptions_enable=False)
    if not hasattr(module, "app"):
        group.command(name, epilog=closing(*module.EXAMPLES))(getattr(module, name))
    group._add_completion = False
    command = typer.main.get_command(group)
    command.name = name
    speak_plainly(command)
    return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=closing("edge-sr upscale film.mp4 --scale 2", "edge-sr doctor"),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge-sr {__version__}")
        raise typer.Exit


@app.callback()
def edge_sr(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
    ),
    debug: bool = typer.Option(
        False,
        "--debug",
        help="Show tracebacks, and what sets the pace of a film; may stand anywhere in the line.",
    ),
) -> None:
    """Super-resolution to any real-valued size, from a trained checkpoint to a device."""


def main() -> None:
    """Run the command line; never returns. Usage errors end it with 2, Ctrl-C with 130."""
    debug = _take_debug(sys.argv)
    repeat_swallowed()
    warnings.formatwarning = lambda message, *_, **__: f"warning: {' '.join(str(message).split())}\n"
    try:
        with enduring_streams(), _secrets_hidden():
            _log_to_stderr(logging.DEBUG if debug else logging.INFO)
            _run(debug)
    except EdgeSRError as error:
        _end(str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        _end("interrupted; to go on, run the same command again", INTERRUPTED, debug)


def _run(debug: bool) -> None:
    try:
        code = app(prog_name="edge-sr", standalone_mode=False)
        if code == INTERRUPTED:  # Typer makes this of a KeyboardInterrupt, and says nothing
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except Exception as error:
        if hasattr(error, "format_message"):
            _end_usage(error, debug)
        explained = as_ours(error)
        if explained is None:
            found = f"{type(error).__name__}: {error}"
            _end(f"unexpected {found}; run it again with --debug for the traceback", 1, debug)
        _end(str(explained), explained.exit_code, debug)


def _end_usage(error: Any, debug: bool) -> NoReturn:
    """A wrong command line in one line, like every other error; a missing one has printed the help already."""
    message = error.format_message().replace("Value error, ", "").strip()
    if type(error).__name__ == "NoArgsIsHelpError" or not message:
        sys.exit(error.exit_code)
    context = getattr(error, "ctx", None)
    asked = context.command_path if context is not None else _asked_command()
    _end(f"{message.rstrip('.')}; see: {asked} --help", error.exit_code, debug)


def _asked_command() -> str:
    """The command, for errors of the parser, which do not know theirs."""
    return " ".join(["edge-sr", *(word for word in sys.argv[1:2] if word in COMMANDS)])


@contextlib.contextmanager
def _secrets_hidden() -> Iterator[None]:
    """Nothing that is said, and no list of processes, shows what is secret in the command line's addresses."""
    for argument in sys.argv[1:]:
        remember(argument)
    hide_secrets()
    stream, sys.stderr = sys.stderr, MaskedStream(sys.stderr)
    try:
        yield
    finally:
        sys.stderr = stream


class _Notes(logging.Handler):
    """What the library has to say, a line each, to whatever stderr is by then."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = "debug" if record.levelno <= logging.DEBUG else "note"
        print(f"{kind}: {record.getMessage()}", file=sys.stderr, flush=True)


NOTES = _Notes()


def _log_to_stderr(level: int) -> None:
    logger = logging.getLogger("edge_sr")
    logger.addHandler(NOTES)
    logger.setLevel(level)


def _take_debug(arguments: list[str]) -> bool:
    found = False
    end = arguments.index("--") if "--" in arguments else len(arguments)
    while "--debug" in arguments[1:end]:
        arguments.pop(arguments.index("--debug", 1, end))
        end -= 1
        found = True
    return found


def _end(message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    print(f"edge-sr: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
