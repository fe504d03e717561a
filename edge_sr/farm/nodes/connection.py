"""Joining a Ray cluster, or starting one on this machine for as long as a run lasts."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError, MissingError, OptionError, ResourceError, UnreachableError
from edge_sr.machine.description import available_cores
from edge_sr.machine.memory import available_bytes
from edge_sr.machine.optional import require
from edge_sr.masking import masked, remember

LOCAL = "local"
# Pieces pass through it one at a time; what does not fit, Ray puts on the disk.
MOST_STORE_BYTES, LEAST_STORE_BYTES = 1 << 30, 80 << 20
KNOCK_SECONDS = 10.0
# Threads of Ray that print what happens to workers and nodes, which the run tells in its own words.
_PRINTING = ("ray_listen_error_messages", "ray_print_logs")


@dataclasses.dataclass(frozen=True)
class ClusterAddress:
    """``address`` of a running cluster, or None for one on this machine with so many ``slots``."""

    address: str | None
    slots: int | None = None

    @classmethod
    def parse(cls, text: str) -> ClusterAddress:
        """``local``, ``local:N`` or ``HOST:PORT``; ``OptionError`` for anything else."""
        remember(text)
        name, _, rest = text.partition(":")
        if text.startswith("ray://"):
            raise OptionError(
                "--cluster takes the address of Ray's head, HOST:PORT: films do not pass through a Ray client. "
                "Join this machine with: ray start --address HOST:PORT --num-cpus 0"
            )
        if name == LOCAL:
            if rest and not (rest.isdecimal() and int(rest) > 0):
                raise OptionError(f"--cluster local:N takes a number of pieces at a time, found {rest!r}")
            return cls(None, int(rest) if rest else None)
        if text != "auto" and not rest.rpartition(":")[2].isdecimal():
            raise OptionError(f"--cluster must be local, local:N, auto or HOST:PORT, found {masked(text)!r}")
        return cls(text)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster that this process has joined. ``threads`` of each piece where all nodes are this machine.

    ``dashboard``: the address of Ray's page, empty where it has none.
    """

    ray: Any
    threads: int | None = None
    dashboard: str = ""


@contextlib.contextmanager
def joined(address: ClusterAddress) -> Iterator[Cluster]:
    """The cluster, left again at the end; one that was started here ends with it.

    A process that has joined one already stays in it. Raises ``MissingError`` without Ray, ``UnreachableError`` or
    ``OptionError`` when the cluster does not let it in.
    """
    if address.address is None and "ray" not in sys.modules:
        # Ray reads it as it is imported. Before 2.59 a local cluster answers to whoever reaches it unless told not to.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    ray = imported_ray()
    if ray.is_initialized():
        yield _cluster(ray, address, "")
        return
    with _ray_silent():
        try:
            with _signals_kept():
                context = _join(ray, address) if address.address else _start(ray, address)
            yield _cluster(ray, address, str(context.dashboard_url or ""))
        finally:
            # What Ray's threads have held back of their messages comes out here.
            with contextlib.redirect_stdout(io.StringIO()):
                ray.shutdown()


def imported_ray() -> Any:
    """Ray itself; ``MissingError`` where it is not installed or does not load."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A question to a node that outlives the run would start a cluster of its own.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    try:
        return require("ray", "--cluster")
    except MissingError:
        raise
    except Exception as error:
        raise MissingError(f"Ray does not load here ({error}): pip install 'edge-sr[farm]'") from error


def _cluster(ray: Any, address: ClusterAddress, dashboard: str) -> Cluster:
    if address.address is not None:
        return Cluster(ray, None, f"http://{dashboard}" if dashboard else "")
    return Cluster(ray, max(1, available_cores() // _slots(address)))


def _slots(address: ClusterAddress) -> int:
    """Two pieces at a time even on few cores: one decodes and encodes while the other computes."""
    return address.slots or max(2, available_cores() // 4)


def _start(ray: Any, address: ClusterAddress) -> Any:
    # Ray's own workers give way to everybody; these do what this process would do itself.
    os.environ.setdefault("RAY_worker_niceness", "0")
    store = min(MOST_STORE_BYTES, max(LEAST_STORE_BYTES, (available_bytes() or 0) // 10))
    try:
        return ray.init(
            # Not one that happens to run on this machine already, which Ray would take otherwise.
            address="local",
            num_cpus=_slots(address),
            include_dashboard=False,
            object_store_memory=store,
            job_config=_job(ray),
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception as error:
        raise ResourceError(f"Ray does not start here: {_first_line(error)}") from error


def _join(ray: Any, address: ClusterAddress) -> Any:
    knock(str(address.address))
    try:
        return ray.init(
            address=address.address, job_config=_job(ray), log_to_driver=False, logging_level="ERROR"
        )
    except Exception as error:
        raise _refused(address, error) from error


class OwnPath(list[str]):
    """Of the folders that Ray adds for workers to import from, those that this process imports from too."""

    def extend(self, folders: Iterable[str]) -> None:
        own = {str(Path(entry).absolute()) for entry in sys.path}
        super().extend(folder for folder in folders if folder in own)


def _job(ray: Any) -> Any:
    """What Ray makes of a run by itself, without the current folder, which it would put first in its workers' path."""
    config = ray.job_config.JobConfig()
    config._py_driver_sys_path = OwnPath()
    return config


def knock(address: str) -> None:
    """``UnreachableError`` at once where nothing listens: Ray itself tries for two minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UnreachableError(
            f"no Ray cluster answers at {masked(address)} ({error}); see: ray status"
        ) from error


def _refused(address: ClusterAddress, error: Exception) -> EdgeSRError:
    shown, reason = masked(str(address.address)), _first_line(error)
    if "ersion mismatch" in str(error):
        return OptionError(f"the cluster at {shown} has another Python or Ray than this machine: {reason}")
    if type(error).__name__ == "AuthenticationError" or "uthenticat" in str(error):
        return OptionError(
            f"the cluster at {shown} asks for its token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH"
        )
    # A cluster does not answer who comes without its token, and newer ones have one unless told not to.
    token = "" if os.environ.get("RAY_AUTH_MODE") else "; if it has a token, set RAY_AUTH_MODE=token"
    return UnreachableError(f"no Ray cluster answers at {shown} ({reason}){token}; see: ray status")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines[:4])[:300]


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray's own handler of SIGTERM gives way to the one that was there."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


class _WithoutRay:
    """A text stream that drops what Ray's own threads write to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name not in _PRINTING:
            self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _ray_silent() -> Iterator[None]:
    """Standard output holds results alone."""
    stream = sys.stdout
    sys.stdout = _WithoutRay(stream)
    try:
        yield
    finally:
        sys.stdout = stream
