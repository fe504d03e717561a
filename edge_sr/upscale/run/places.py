"""Where results go: their names, and what is refused as a place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from edge_sr.errors import InputError, OptionError, OutputExistsError, OutputFolderError
from edge_sr.files.atomic import fitting_name
from edge_sr.files.drafts import takes_files
from edge_sr.masking import masked
from edge_sr.sizes import Size, size_text
from edge_sr.video.opening import is_opened_by_name
from edge_sr.video.protocols import is_address

if TYPE_CHECKING:
    from edge_sr.upscale.run.request import Request


def beside_input(name: str, size: Size, suffix: str, stem: str | None = None) -> Path:
    """``NAME-WxH.EXT`` in the input's folder; for an address, in the current one. ``stem`` stands for ``NAME``."""
    stem = stem or Path(name_of_input(name)).stem
    return folder_of_input(name) / fitting_name(stem, f"-{size_text(size)}{suffix}")


def folder_of_input(name: str) -> Path:
    """Where a file lies, or the files of a numbered sequence; for an address, the current folder."""
    return Path() if is_address(name) else Path(name).parent


def name_of_input(name: str) -> str:
    """The name of a file, or the last part of an address."""
    return _name_of_address(name) if is_address(name) else Path(name).name


def _name_of_address(address: str) -> str:
    """The last part of an address's path, never its query, its password or a stream's key."""
    return Path(unquote(urlsplit(masked(address)).path)).name or "film"


def check_output(request: Request, output: Path) -> None:
    """As ``check_place``; refuses an output that is there too, unless the run may replace it or go on with it."""
    check_place(request.input, output)
    if not request.overwrite and not request.resume:
        check_free(output)


def check_place(source: str, output: Path) -> None:
    """Refuses an output that is its own input, or whose folder is absent or not writable."""
    if not is_opened_by_name(source) and _same(Path(source), output):
        raise OptionError(f"the output would replace its input {source}: choose another name with -o")
    if output.is_dir():
        raise OptionError(f"{output} is a folder, expected a file name for -o")
    check_folder(output.parent)


def check_folder(folder: Path) -> None:
    """Refuses an output folder that is absent or not writable."""
    if not folder.is_dir():
        raise OutputFolderError(
            f"the output folder {folder} does not exist: make it, or choose another with -o"
        )
    if not takes_files(folder):
        raise OutputFolderError(f"the output folder {folder} is not writable: choose another with -o")


def check_free(output: Path) -> None:
    if output.exists():
        raise OutputExistsError(
            f"{output} exists already: add --overwrite to replace it, or choose another with -o"
        )


def require_alike(output: Path, describe: Callable[[Path], str], wanted: str) -> None:
    """Raises ``OutputExistsError`` where an output that is there cannot be described, or is not what is ``wanted``."""
    try:
        found = describe(output)
    except InputError as error:
        raise not_ours(output, str(error)) from error
    if found != wanted:
        raise not_ours(output, f"{found} where this run makes {wanted}")


def not_ours(output: Path, why: str) -> OutputExistsError:
    """What is raised of an output that is in the way, with the reason why it is not this run's."""
    return OutputExistsError(
        f"{output} is there, but {why}: add --overwrite to replace it, or choose another with -o"
    )


def _same(source: Path, output: Path) -> bool:
    if output.exists():
        return source.samefile(output)
    return source.resolve() == output.resolve()
