"""The CPU library under libFuzzer with address and undefined-behaviour checks, its threads under ThreadSanitizer."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUZZERS = sorted(path.stem for path in (ROOT / "tests" / "native").glob("fuzz_*.cpp"))
OPTIONS = {"UBSAN_OPTIONS": "halt_on_error=1", "TSAN_OPTIONS": "halt_on_error=1 second_deadlock_stack=1"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="native.py", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="how long the fuzzers run in all, about [1]"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, other calls [1]")
    parser.add_argument("--keep", type=Path, help="a folder for the calls in which something was found")
    options = parser.parse_args()
    missing = [name for name in ("cmake", "clang++") if shutil.which(name) is None]
    if missing:
        sys.exit(f"native: not installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="edge-sr-native-") as place:
        findings = _fuzz(Path(place), options) + _threads(Path(place))
    print(f"native: seed {options.seed}, {findings} findings")
    sys.exit(int(findings > 0))


def _fuzz(place: Path, options: argparse.Namespace) -> int:
    """Every fuzzer for its share of the time; how many found something."""
    keep = options.keep or place
    keep.mkdir(parents=True, exist_ok=True)
    findings = 0
    seconds = max(5, round(60 * options.minutes / len(FUZZERS)))
    for name in FUZZERS:
        program = _built(place / "fuzz", name, "-DESR_FUZZ=ON")
        words = [
            f"-max_total_time={seconds}",
            f"-seed={options.seed}",
            "-max_len=300",
            f"-artifact_prefix={keep}/",
        ]
        ended = _run(str(program), *words, "-timeout=60", "-rss_limit_mb=2000", "-print_final_stats=1")
        count = re.search(r"stat::number_of_executed_units:\s*(\d+)", ended.stderr)
        print(f"native: {name}: {count.group(1) if count else '?'} calls in {seconds} s", flush=True)
        if ended.returncode:
            findings += 1
            print(ended.stderr[-3000:])
    return findings


def _threads(place: Path) -> int:
    """Decoders and encoders held against each other on several threads; how many of both have a race."""
    findings = 0
    for name in ("compare_kernels", "compare_encoders"):
        ended = _run(str(_built(place / "threads", name, "-DESR_TESTS=ON", "-DESR_THREADS=ON")))
        found = "a race" if ended.returncode else "no race"
        print(f"native: {name} under ThreadSanitizer: {found}", flush=True)
        if ended.returncode:
            findings += 1
            print((ended.stdout + ended.stderr)[-3000:])
    return findings


def _built(folder: Path, target: str, *options: str) -> Path:
    configure = [
        "cmake",
        "-S",
        str(ROOT / "native"),
        "-B",
        str(folder),
        "-DCMAKE_CXX_COMPILER=clang++",
        *options,
    ]
    for command in (configure, ["cmake", "--build", str(folder), "--target", target, "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"native: {target} cannot be built: {(done.stdout + done.stderr)[-2000:]}")
    return folder / target


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **OPTIONS})


if __name__ == "__main__":
    main()
