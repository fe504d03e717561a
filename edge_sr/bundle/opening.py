"""Opening a bundle: a shipped one by its name, or the one in a folder."""

from __future__ import annotations

import contextlib
from pathlib import Path

from edge_sr.bundle.description import DESCRIPTION, SCHEMA, Description
from edge_sr.bundle.stored import Bundle, shipped_folder
from edge_sr.errors import BundleError, ConfigError, OptionError, UnknownNameError
from edge_sr.files.config import load_json

DEFAULT_MODEL = "diinn-edge"


def shipped_bundles() -> list[Bundle]:
    """The bundles that come with the package, the default first."""
    folders = sorted(path.parent for path in shipped_folder().glob(f"*/{DESCRIPTION}"))
    bundles = [read_bundle(folder) for folder in folders]
    return sorted(bundles, key=lambda bundle: (bundle.name != DEFAULT_MODEL, bundle.name))


def open_bundle(name: str | Path) -> Bundle:
    """A shipped model by its name, or the bundle in a folder.

    Raises ``UnknownNameError`` when it is neither, ``BundleError`` when the folder holds no sound bundle,
    ``OptionError`` for what is neither text nor a path.
    """
    if not isinstance(name, (str, Path)):
        raise OptionError(f"expected a model's name or a bundle's folder, found {type(name).__name__}")
    folder = _folder_of(name)
    if folder is not None:
        return read_bundle(folder)
    known = [bundle.name for bundle in shipped_bundles()]
    raise UnknownNameError.among("model", str(name), known, ", or a bundle's folder; see: edge-sr models")


def _folder_of(name: str | Path) -> Path | None:
    with contextlib.suppress(OSError, ValueError):  # a name that no file system takes
        shipped = shipped_folder() / str(name)
        if Path(str(name)).name == str(name) and (shipped / DESCRIPTION).is_file():
            return shipped
        return Path(name) if Path(name).exists() else None
    return None


def read_bundle(folder: Path) -> Bundle:
    """The bundle in ``folder``; ``BundleError`` when ``bundle.json`` is missing or unsound."""
    if not (folder / DESCRIPTION).is_file():
        raise BundleError(f"{folder} is no bundle: it holds no {DESCRIPTION}; make one with: edge-sr export")
    try:
        return Bundle(folder, load_json(folder / DESCRIPTION, Description, SCHEMA))
    except ConfigError as error:
        raise BundleError(str(error)) from error
