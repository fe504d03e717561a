"""The command line in a process of its own, forked from one that has imported everything and opened nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# A signal or a moment: told the process's id again and again until it says that it has done its work.
Watch = Callable[[int], bool]
STREAMS = ("out", "err", "modules")
_tried: set[str] = set()


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a case may take. ``cpu_seconds`` bounds work and ``wall_seconds`` waiting; ``peak_mb`` is only measured."""

    cpu_seconds: int = 60
    wall_seconds: float = 1200.0
    peak_mb: float = 3000.0
    address_space_mb: int = 12_000
    file_mb: int = 2_000


class Ended(NamedTuple):
    """How a process ended: ``code`` is negative for a signal, ``overdue`` when it had to be ended."""

    code: int
    out: str
    err: str
    seconds: float
    peak_mb: float
    overdue: bool


def import_all(*modules: str) -> None:
    """Pays for the imports once, those of ``modules`` too. None of them starts a thread or opens a device."""
    import av  # noqa: F401
    import numpy  # noqa: F401
    import onnxruntime  # noqa: F401
    import PIL.Image

    import edge_sr.cli.app
    import edge_sr.cli.camera
    import edge_sr.cli.upscale
    import edge_sr.upscale.upscale
    import edge_sr.upscaler  # noqa: F401

    PIL.Image.init()
    _import(modules)


def _import(modules: Iterable[str]) -> None:
    """Those that are not yet; what they leave behind is not looked through before each fork."""
    for module in modules:
        if module not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
    gc.collect()
    gc.freeze()


def run(
    words: Sequence[object],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limits: Limits = Limits(),
    watch: Watch | None = None,
    prepare: Callable[[], None] | None = None,
) -> Ended:
    """``edge-sr WORDS`` in ``folder``; ``watch`` looks on from outside, ``prepare`` runs first inside."""
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(open(os.memfd_create(name), "w+b")) for name in STREAMS]
        began = time.monotonic()
        # Ctrl-C before the child is the command line would make it a second campaign.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        child = os.fork()
        if child == 0:
            _become(words, folder, environment, limits, [stream.fileno() for stream in streams], prepare)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        status, usage, overdue = _wait(child, limits, watch)
        seconds = time.monotonic() - began
        texts = [_text(stream) for stream in streams]
    # What one case imported the later ones find imported.
    if new := [name for name in texts[2].split() if name not in _tried]:
        _tried.update(new)
        _import(new)
    code = os.waitstatus_to_exitcode(status)
    return Ended(code, texts[0], texts[1], seconds, usage.ru_maxrss / 1024, overdue)


def apart(work: Callable[[], str], seconds: int = 300) -> str:
    """What ``work`` returns, done in a child within ``seconds``: what it reads may crash the reader."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        os.close(reading)
        try:
            answer = work()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        found = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return found if status == 0 else f"the reader ended with {status}"


def _become(
    words: Sequence[object],
    folder: Path,
    environment: Mapping[str, str],
    limits: Limits,
    streams: Sequence[int],
    prepare: Callable[[], None] | None,
) -> None:
    """The command line; never returns."""
    code, known = 70, set(sys.modules)
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(streams[0], 1)
        os.dup2(streams[1], 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        _limit(limits)
        sys.argv = ["edge-sr", *map(str, words)]
        if prepare is not None:
            prepare()
        from edge_sr.cli.app import main

        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:
        # What comes before the first line of main meets Python, not the command line.
        early = isinstance(error, KeyboardInterrupt) and len(traceback.extract_tb(error.__traceback__)) <= 2
        code = 130 if early else 1
        if not early:
            sys.excepthook(*sys.exc_info())
    finally:
        try:
            _say_last(streams[2], sys.modules.keys() - known)
        finally:
            os._exit(code)


def _say_last(stream: int, modules: Iterable[str]) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    with contextlib.suppress(OSError):
        os.write(stream, " ".join(modules).encode())


def _limit(limits: Limits) -> None:
    megabyte = 1 << 20
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (limits.address_space_mb * megabyte,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_mb * megabyte,) * 2)


def _wait(child: int, limits: Limits, watch: Watch | None) -> tuple[int, resource.struct_rusage, bool]:
    until = time.monotonic() + limits.wall_seconds
    pause, overdue = 0.002, False
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            with contextlib.suppress(ProcessLookupError):  # what it started in its session
                os.killpg(child, signal.SIGKILL)
            return status, usage, overdue
        if watch is not None and watch(child):
            watch = None
        if time.monotonic() > until and not overdue:
            overdue = True
            os.kill(child, signal.SIGKILL)
        time.sleep(pause)
        pause = min(0.02, pause * 1.2) if watch is None else 0.001


def _text(stream: object) -> str:
    stream.seek(0)  # type: ignore[attr-defined]
    return stream.read().decode(errors="backslashreplace")  # type: ignore[attr-defined, no-any-return]
