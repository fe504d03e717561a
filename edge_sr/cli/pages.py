"""Pages and charts that a command writes at its end: refused before what takes long."""

from __future__ import annotations

from pathlib import Path

from edge_sr.errors import OptionError, OutputExistsError, OutputFolderError
from edge_sr.files.drafts import takes_files


def check_new_page(option: str, page: Path | None) -> None:
    """Refuses a page that is in the way, or whose folder is not there or cannot be written to."""
    if page is None:
        return
    if page.exists():
        raise OutputExistsError(f"{page} exists: name another file for {option} or remove it")
    folder = page.absolute().parent
    if not folder.is_dir():
        raise OptionError(f"{option} goes into a folder that is there, found none at {folder}")
    if not takes_files(folder):
        raise OutputFolderError(f"{option} goes into a folder that can be written to, {folder} cannot")
