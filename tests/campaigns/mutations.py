"""Damage to files, as disks, networks and malice do it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

# Where headers and most length fields stand.
HEAD = 512
TELLING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)

Damage = Callable[[bytearray, random.Random], None]


def mutated(data: bytes, dice: random.Random) -> bytes:
    """``data`` with one to four kinds of damage."""
    work = bytearray(data)
    for damage in dice.choices(KINDS, k=dice.choice((1, 1, 2, 4))):
        if work:
            damage(work, dice)
    return bytes(work)


def _place(work: bytearray, dice: random.Random) -> int:
    return dice.randrange(min(len(work), HEAD) if dice.random() < 0.35 else len(work))


def _flip(work: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 1, 4, 32))):
        work[_place(work, dice)] ^= 1 << dice.randrange(8)


def _number(work: bytearray, dice: random.Random) -> None:
    size = dice.choice((1, 2, 4, 8))
    value = dice.choice(TELLING) & ((1 << 8 * size) - 1)
    place = _place(work, dice)
    work[place : place + size] = value.to_bytes(size, dice.choice(("big", "little")))


def _cut(work: bytearray, dice: random.Random) -> None:
    del work[_place(work, dice) :]


def _drop(work: bytearray, dice: random.Random) -> None:
    place = _place(work, dice)
    del work[place : place + _length(work, dice)]


def _repeat(work: bytearray, dice: random.Random) -> None:
    place = _place(work, dice)
    work[place:place] = work[place : place + _length(work, dice)] * dice.choice((1, 1, 3))


def _noise(work: bytearray, dice: random.Random) -> None:
    place, length = _place(work, dice), min(_length(work, dice), 4096)
    work[place : place + length] = dice.randbytes(length)


def _zeros(work: bytearray, dice: random.Random) -> None:
    place, length = _place(work, dice), _length(work, dice)
    work[place : place + length] = bytes(min(length, len(work) - place))


def _swap(work: bytearray, dice: random.Random) -> None:
    length = _length(work, dice)
    one, other = _place(work, dice), _place(work, dice)
    a, b = bytes(work[one : one + length]), bytes(work[other : other + length])
    work[one : one + length], work[other : other + length] = b, a


def _insert(work: bytearray, dice: random.Random) -> None:
    place = _place(work, dice)
    work[place:place] = dice.randbytes(dice.choice((1, 3, 16, 188, 1000)))


def _length(work: bytearray, dice: random.Random) -> int:
    return dice.choice((1, 4, 16, 188, 512, max(1, len(work) // 8)))


KINDS: tuple[Damage, ...] = (
    _flip, _flip, _number, _number, _cut, _drop, _repeat, _noise, _zeros, _swap, _insert,
)  # fmt: skip

ODD: tuple[Any, ...] = (
    -1, 0, 1, 2, 1 << 31, 1 << 63, 10**400, -(10**400), 0.5, 1e308, float("inf"), float("nan"), True, None, "", "0",
    "../../../../etc/passwd", "/etc/passwd", "x" * 100_000, "\x00", "\ud800", [], {}, [[]], [None], {"": {}},
)  # fmt: skip


def mutated_tree(value: Any, dice: random.Random) -> Any:
    """A value as JSON or TOML has it with one of its leaves or keys changed."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(sorted(value))
        if dice.random() < 0.1:
            return {name: inner for name, inner in value.items() if name != key}
        if dice.random() < 0.05:
            return {**value, key + "x": value[key]}
        return {**value, key: mutated_tree(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.9:
        place = dice.randrange(len(value))
        changed = list(value)
        changed[place : place + 1] = dice.choice(([], [value[place]] * 2, [mutated_tree(value[place], dice)]))
        return changed
    if isinstance(value, int) and not isinstance(value, bool) and dice.random() < 0.5:
        return value + dice.choice((-1, 1, -value, value, 1 << 20))
    return nested(dice) if dice.random() < 0.05 else dice.choice(ODD)


def nested(dice: random.Random) -> Any:
    value: Any = 1
    for _ in range(dice.choice((50, 400))):
        value = [value]
    return value
