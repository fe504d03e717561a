"""Every error a user can meet, drawn as one tree.

Each class carries the exit code of the command that it ends, and derives from the fitting builtin too, so
that ``except FileNotFoundError`` and its like work in a program that uses the library. A message says what
was expected, what was found, and what to run next, in one line.

    EdgeSRError
    ├── OptionError (2)             bad or contradictory options
    │   ├── OutputExistsError       the output is already there
    │   ├── OutputFolderError       the output folder is absent or not writable
    │   ├── UnknownNameError        a model, target or backend nobody knows
    │   ├── LifetimeError           an object that is closed, busy, or of another process
    │   └── ShapeError              an array or a size that does not fit the request
    ├── MissingError (3)            a package, compiler or device library to install
    ├── InputError (4)              something given is missing, unreadable or wrong
    │   ├── InputNotFoundError      no such file or folder
    │   ├── MediaError              a film or picture that cannot be read
    │   │   └── HdrError            a film whose colours only a Dolby decoder knows
    │   ├── BundleError             a bundle that is damaged or lacks what was asked for
    │   ├── CheckpointError         a checkpoint with missing, extra or mis-shaped tensors
    │   ├── ConfigError             a TOML file with unknown keys or wrong values
    │   ├── ParityError             an export that strays from its reference
    │   ├── BudgetError             no assignment of precisions meets the budget
    │   └── UnreachableError        a host or capture device that does not answer
    ├── ResourceError (5)           the machine gave out
    │   ├── DiskFullError           no space left
    │   ├── MemoryLimitError        more memory than there is
    │   ├── DeviceError             a GPU that is lost or out of memory
    │   └── EngineError             an engine that cannot be built or must not be loaded
    └── InterruptedRun (130)        stopped by the user; what was made is kept
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar

from edge_sr.masking import masked_values


class EdgeSRError(Exception):
    """Base of all; ``exit_code`` is what the command ends with. Its message never shows the secrets of an address."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*masked_values(arguments))


class OptionError(EdgeSRError, ValueError):
    exit_code = 2


class OutputExistsError(OptionError, FileExistsError):
    pass


class OutputFolderError(OptionError, PermissionError):
    pass


class UnknownNameError(OptionError, LookupError):
    @classmethod
    def among(cls, kind: str, name: str, known: list[str], hint: str = "") -> UnknownNameError:
        """The error for ``name``, which is no ``kind`` of those ``known``: it names the nearest, all, and ``hint``."""
        import difflib

        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
        guess = f"; did you mean {near[0]}?" if near else ";"
        return cls(f"unknown {kind} {name!r}{guess} known: {', '.join(known)}{hint}")


class LifetimeError(OptionError, RuntimeError):
    pass


class ShapeError(OptionError):
    pass


class MissingError(EdgeSRError, ImportError):
    exit_code = 3


class InputError(EdgeSRError, ValueError):
    exit_code = 4


class InputNotFoundError(InputError, FileNotFoundError):
    pass


class MediaError(InputError):
    pass


class HdrError(MediaError):
    pass


class BundleError(InputError):
    pass


class CheckpointError(InputError):
    pass


class ConfigError(InputError):
    pass


class ParityError(InputError):
    pass


class BudgetError(InputError):
    pass


class UnreachableError(InputError, ConnectionError):
    pass


class ResourceError(EdgeSRError, RuntimeError):
    exit_code = 5


class DiskFullError(ResourceError, OSError):
    pass


class MemoryLimitError(ResourceError, MemoryError):
    pass


class DeviceError(ResourceError):
    pass


class EngineError(ResourceError):
    pass


class InterruptedRun(EdgeSRError):
    exit_code = 130


OUT_OF_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def as_ours(error: BaseException) -> EdgeSRError | None:
    """The error of this tree that an error of Python's own stands for; None for what is no fault of the machine."""
    if isinstance(error, EdgeSRError):
        return error
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return MemoryLimitError("not enough memory: close other programs, or use a smaller size")
    # Python's threading has no kind of its own for it.
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return ResourceError(
            "no room for another thread: close other programs, or raise this user's limits (ulimit -u, ulimit -v)"
        )
    if not isinstance(error, OSError):
        return None
    place = "" if error.filename is None else f"{error.filename}: "
    reason = f"{place}{error.strerror or error}"
    if number in OUT_OF_DISK:
        # Of a copy, both are named, and it is the second that found no room.
        full = error.filename2 or error.filename
        return DiskFullError(f"no space left {f'for {full}' if full else 'here'}: free some and run again")
    return ResourceError(f"the system refuses it: {reason}")


def first_line(error: BaseException) -> str:
    """Of a foreign error's message, which may have many; the name of its kind where it has none."""
    return _lines(error)[0].strip()


def last_line(error: BaseException) -> str:
    """As ``first_line``, for those that lead from the outside in."""
    return _lines(error)[-1].strip()


def _lines(error: BaseException) -> list[str]:
    return str(error).strip().splitlines() or [type(error).__name__]
