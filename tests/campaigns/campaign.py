"""What all campaigns share: cases by seed and number, a bound in minutes, counts, and findings that can be repeated."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from processes import apart, import_all
from sandbox import Sandbox

TOLD_SECONDS = 30.0
SETUP_SECONDS = 3600


@dataclasses.dataclass(frozen=True)
class Case:
    """One case: all that is random in it comes from ``dice``, which its seed and number determine."""

    number: int
    dice: random.Random
    sandbox: Sandbox
    seeds: Path


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a case counts as, what was wrong, and how much of what else was counted: frames, kills."""

    label: str
    faults: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()


Setup = Callable[[Path], None]
Work = Callable[[Case], Outcome]


def command_line(name: str, setup: Setup, work: Work, *modules: str) -> None:
    """Runs the campaign that the command line asks for; ends with 1 when something was found.

    ``modules`` are imported before the first case, for each not to pay for them.
    """
    parser = argparse.ArgumentParser(prog=f"{name}.py", description=sys.modules["__main__"].__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long, about [1]")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other cases [1]")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case [0]")
    parser.add_argument("--only", type=int, help="this case alone")
    parser.add_argument("--keep", type=Path, help="a folder for the cases in which something was found")
    options = parser.parse_args()
    import_all(*modules)
    with tempfile.TemporaryDirectory(prefix=f"edge-sr-{name}-") as place:
        sys.exit(_Run(name, options, Path(place), work).all(setup))


class _Run:
    def __init__(self, name: str, options: argparse.Namespace, place: Path, work: Work) -> None:
        self._name, self._options, self._place, self._work = name, options, place, work
        self._labels: collections.Counter[str] = collections.Counter()
        self._counts: collections.Counter[str] = collections.Counter()
        self._findings = 0

    def all(self, setup: Setup) -> int:
        options = self._options
        (self._place / "seeds").mkdir()
        (self._place / "caches").mkdir()
        if told := apart(lambda: setup(self._place / "seeds") or "", SETUP_SECONDS):
            raise SystemExit(f"{self._name}: the seeds cannot be made: {told}")
        until = time.monotonic() + 60 * options.minutes
        told = time.monotonic()
        number = options.first if options.only is None else options.only
        while time.monotonic() < until:
            self._one(number)
            number += 1
            if options.only is not None:
                break
            if time.monotonic() - told > TOLD_SECONDS:
                told = time.monotonic()
                print(self._summary(number), file=sys.stderr, flush=True)
        print(self._summary(number))
        return int(self._findings > 0)

    def _one(self, number: int) -> None:
        dice = random.Random(f"{self._name} {self._options.seed} {number}")
        sandbox = Sandbox(self._place / "case", self._place / "caches")
        outcome = self._work(Case(number, dice, sandbox, self._place / "seeds"))
        self._labels[outcome.label] += 1
        self._counts.update(dict(outcome.counts))
        if not outcome.faults:
            return
        self._findings += 1
        print(f"{self._name} --seed {self._options.seed} --only {number}: {outcome.label}")
        print("".join(f"    {fault}\n" for fault in outcome.faults), end="", flush=True)
        if self._options.keep is not None:
            kept = self._options.keep / f"{self._name}-{self._options.seed}-{number}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(sandbox.folder, kept, symlinks=True)

    def _summary(self, number: int) -> str:
        first = self._options.first if self._options.only is None else number - 1
        labels = ", ".join(f"{count} {label}" for label, count in sorted(self._labels.items()))
        counts = "".join(f", {count} {what}" for what, count in sorted(self._counts.items()))
        return (
            f"{self._name}: seed {self._options.seed}, cases {first} to {number - 1}, "
            f"{number - first} cases ({labels}){counts}, {self._findings} findings"
        )
