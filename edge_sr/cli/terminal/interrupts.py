"""Ctrl-C and SIGTERM: once to end after the current frame, twice to end at once. A terminal that closes counts once."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

INTERRUPTED = 130
SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)
# A terminal that closes sends it, and its shell once more. Windows has none.
HANG_UP: int | None = getattr(signal, "SIGHUP", None)

AFTER_THIS_FRAME = "stopping after this frame; once more to stop at once"
# Seconds until a Ctrl-C that was swallowed comes again, longer than it takes to be back where it can be raised.
AGAIN_AFTER = 0.02


def repeat_swallowed() -> None:
    """Let a Ctrl-C come again that met code which cannot raise it.

    C code that calls Python back, such as pydantic's while it makes a validator, and ``__del__`` only print what is
    raised in them: the command would go on, below a traceback.
    """
    others = sys.unraisablehook

    def look(lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            timer = threading.Timer(AGAIN_AFTER, _interrupt_main)
            timer.daemon = True
            timer.start()
        else:
            others(lost)

    sys.unraisablehook = look


def _interrupt_main() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        # A signal of its own, or what the main thread waits in would not end.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@contextlib.contextmanager
def stopping(say: Callable[[str], None], note: str = AFTER_THIS_FRAME) -> Iterator[threading.Event]:
    """Yields an event that the first signal sets, saying ``note``; a second one ends the process with code 130.

    A hang-up sets it too, but ends nothing at once; where it is ignored, as under nohup, it stays so.

    Python runs its handlers between two bytecodes of the main thread, which may be seconds inside a network.
    So a thread listens on the wake-up socket, which the interpreter writes to at once.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    listening, waking = socket.socketpair()
    waking.setblocking(False)
    thread = threading.Thread(target=_listen, args=(listening, stop, say, note), name="signals", daemon=True)
    earlier = {number: signal.signal(number, _noted) for number in _heeded()}
    waker = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(waker)
        for number, handler in earlier.items():
            signal.signal(number, handler)
        waking.close()
        thread.join()
        listening.close()


def _heeded() -> tuple[int, ...]:
    if HANG_UP is None or signal.getsignal(HANG_UP) is signal.SIG_IGN:
        return SIGNALS
    return *SIGNALS, HANG_UP


def _noted(number: int, frame: object) -> None:
    """The listening thread has it already."""


def _listen(listening: socket.socket, stop: threading.Event, say: Callable[[str], None], note: str) -> None:
    while data := listening.recv(1):
        if data[0] not in (*SIGNALS, HANG_UP):
            continue
        if not stop.is_set():
            stop.set()
            say(note)
        elif data[0] != HANG_UP:
            os._exit(INTERRUPTED)
