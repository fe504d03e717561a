"""Which pieces are made next, and what becomes of those that fail or are slow."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sr.farm.films.index import Piece
from edge_sr.farm.films.queue import LONGEST_SPAN, MOST_CRASHES, MOST_FAILURES, PieceQueue, Run


def pieces(count: int) -> Iterator[Piece]:
    return (Piece(n, 10 * n, None if n == count - 1 else 10 * n + 10) for n in range(count))


def queue_of(count: int, done: set[int] | None = None) -> PieceQueue:
    return PieceQueue(pieces(count), count, set() if done is None else done)


def begun(queue: PieceQueue, node: str, slots: int = 4) -> Run:
    run = queue.next_run(slots)
    assert run is not None
    queue.begun(run, node, 0.0)
    return run


def numbers(run: Run) -> list[int]:
    return [piece.number for piece in run.pieces]


def test_tasks_are_long_at_first_and_short_at_the_end() -> None:
    queue, lengths = queue_of(200), []
    while (run := queue.next_run(4)) is not None:
        lengths.append(len(run.pieces))
    assert sum(lengths) == 200
    assert lengths[0] == LONGEST_SPAN
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-4:] == [1, 1, 1, 1]


def test_what_is_there_already_is_never_handed_out() -> None:
    queue, found = queue_of(20, {0, 3, 4, 19}), []
    while (run := queue.next_run(1)) is not None:
        assert numbers(run) == list(range(run.pieces[0].number, run.pieces[0].number + len(run.pieces)))
        found += numbers(run)
    assert sorted(found) == [n for n in range(20) if n not in (0, 3, 4, 19)]


def test_a_piece_that_fails_on_three_nodes_fails_the_film() -> None:
    queue = queue_of(1)
    for node in ("a", "b"):
        assert queue.failed(begun(queue, node), "broken", crashed=True) is None
    failures = queue.failed(begun(queue, "c"), "broken", crashed=True)
    assert failures is not None
    assert [failure.node for failure in failures] == ["a", "b", "c"]


def test_on_one_node_an_error_of_its_own_tells_sooner_than_a_crash() -> None:
    for crashed, most in ((False, MOST_FAILURES), (True, MOST_CRASHES)):
        queue = queue_of(1)
        outcomes = [queue.failed(begun(queue, "a"), "broken", crashed=crashed) for _ in range(most)]
        assert [outcome is not None for outcome in outcomes] == [False] * (most - 1) + [True]


def test_a_failed_piece_goes_elsewhere_and_takes_no_others_with_it() -> None:
    queue = queue_of(48)
    run = begun(queue, "a", 1)
    first, *rest = numbers(run)
    assert rest
    queue.failed(run, "broken", crashed=False)
    again = queue.next_run(1)
    assert again is not None
    assert (numbers(again), queue.avoided(again)) == ([first], {"a"})
    following = queue.next_run(1)
    assert following is not None
    assert (numbers(following), queue.avoided(following)) == ([rest[0]], set())


def test_a_straggler_is_copied_once_and_the_first_one_counts() -> None:
    queue = queue_of(4)
    slow, *others = [begun(queue, node) for node in "abcd"]
    assert queue.copy_of_straggler(100.0) is None  # nobody knows how long a piece takes
    for run in others:
        assert queue.made(run, run.pieces[0].number, 1.0)
        queue.ended(run)
    assert queue.copy_of_straggler(1.5) is None
    copy = queue.copy_of_straggler(3.0)
    assert copy is not None
    assert (numbers(copy), queue.avoided(copy)) == (numbers(slow), {"a"})
    assert queue.copy_of_straggler(4.0) is None
    assert queue.made(copy, numbers(copy)[0], 4.0)
    assert queue.is_overtaken(slow)
    assert not queue.made(slow, numbers(slow)[0], 5.0)
    assert queue.is_finished


@settings(max_examples=200)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 1 << 32))
def test_whatever_fails_every_piece_is_made_once(count: int, slots: int, seed: int) -> None:
    queue, made, now, dice = queue_of(count), [], 0.0, random.Random(seed)
    running: list[Run] = []
    while not queue.is_finished:
        now += 1.0
        while len(running) < slots:
            run = queue.next_run(slots) or queue.copy_of_straggler(now)
            if run is None:
                break
            queue.begun(run, f"node {dice.randrange(2)}", now)
            running.append(run)
        assert running
        run = dice.choice(running)
        if dice.random() < 0.2:
            running.remove(run)
            queue.ended(run)
            continue
        number = run.pieces[0].number
        if queue.made(run, number, now):
            made.append(number)
        if not run.pieces:
            running.remove(run)
            queue.ended(run)
    assert sorted(made) == list(range(count))
