"""Ctrl-C at any step of a call: what it leaves behind can still be used and closed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from edge_sr.backends.native.calls import Calls
from edge_sr.turn import Turn


def interruptions(work: Callable[[], object]) -> Iterator[BaseException]:
    """Runs ``work`` again and again, with Ctrl-C after one call more of Python's each time, until it gets through.

    Python looks for signals as a function begins and after a call into C.
    """
    for last in range(1000):
        passed = 0

        def interrupt(_: Any, event: str, __: Any, last: int = last) -> None:
            nonlocal passed
            passed += event in ("call", "c_return")
            if passed > last:
                sys.setprofile(None)
                raise KeyboardInterrupt

        sys.setprofile(interrupt)
        try:
            work()
        except KeyboardInterrupt as error:
            # Held as a notebook holds the last one, with all that its frames refer to.
            yield error
        else:
            return
        finally:
            sys.setprofile(None)


def ends(work: Callable[[], object]) -> bool:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    return not thread.is_alive()


def test_a_native_part_is_closed_after_an_interrupted_call() -> None:
    parts: list[Calls] = []

    def call() -> None:
        parts.append(Calls("decoder"))
        parts[-1].one(lambda: len(parts))

    held = [error for error in interruptions(call) if parts]
    assert len(held) > 3
    assert all(ends(part.end) for part in parts)


def test_an_upscaler_has_its_turn_again_after_an_interrupted_one() -> None:
    turn = Turn()

    def work() -> None:
        with turn.taken():
            turn.began()

    def close() -> None:
        with turn.awaited():
            pass

    held = []
    for error in interruptions(work):
        held.append(error)
        work()
        assert ends(close)
    assert len(held) > 3
