"""This package's version, and those of the packages beside it."""

from __future__ import annotations

__version__ = "0.1.0"


def package_version(name: str) -> str | None:
    """The version that is installed of a package, by its name on the index; None where it is absent."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None
