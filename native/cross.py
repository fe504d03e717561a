"""Builds the native library and its comparisons of kernels for other systems, and runs them where that can be done.

    pip install ziglang
    python native/cross.py [-o FOLDER] [TARGET ...]

Clang and libc++ come with ziglang. What is for another processor runs under qemu-user, what is for Windows under
Wine; macOS' is built alone. Prints a line a target.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import ziglang

NATIVE = Path(__file__).resolve().parent
ZIG = Path(ziglang.__file__).parent / "zig"
# Target -> what runs its programs; None where nothing here does.
TARGETS: dict[str, list[str] | None] = {
    "x86_64-linux-gnu.2.17": [],
    "x86_64-linux-musl": [],
    "aarch64-linux-gnu.2.17": ["qemu-aarch64", "-cpu", "max", "-L", "/usr/aarch64-linux-gnu"],
    "aarch64-linux-musl": ["qemu-aarch64", "-cpu", "max"],
    "aarch64-macos": None,
    "x86_64-macos": None,
    "x86_64-windows-gnu": ["wine"],
}
COMPARISONS = ("compare_kernels", "compare_encoders")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("targets", metavar="TARGET", nargs="*", help=f"of {', '.join(TARGETS)}")
    arguments.add_argument(
        "-o", "--output", type=Path, help="folder to build in (a temporary one by default)"
    )
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.output or Path(temporary)
        good = [_report(target, folder / target) for target in given.targets or TARGETS]
    return 0 if all(good) else 1


def _report(target: str, folder: Path) -> bool:
    try:
        library = _built(target, folder)
        said = _compared(target, folder)
    except subprocess.CalledProcessError as error:
        print(f"{target}: {error.cmd[0]} failed\n{error.stdout}{error.stderr}", flush=True)
        return False
    print(f"{target}: {library.name} {library.stat().st_size:,} bytes; {said}", flush=True)
    return True


def _built(target: str, folder: Path) -> Path:
    _run(
        *["cmake", "-S", str(NATIVE), "-B", str(folder), "-DESR_TESTS=ON", f"-DZIG={ZIG}"],
        *[f"-DZIG_TARGET={target}", f"-DCMAKE_TOOLCHAIN_FILE={NATIVE / 'zig.cmake'}"],
    )
    _run("cmake", "--build", str(folder), "--parallel", "2")
    return next(path for path in folder.iterdir() if path.name in ("_native.so", "_native.dll"))


def _compared(target: str, folder: Path) -> str:
    """What the comparisons said of this target's kernels."""
    runner = TARGETS[target]
    if runner is None:
        return "built, not run"
    if runner and shutil.which(runner[0]) is None:
        return f"built, not run: {runner[0]} is not installed"
    suffix = ".exe" if "windows" in target else ""
    said = [_run(*runner, str(folder / f"{name}{suffix}")) for name in COMPARISONS]
    kernels = [line.split(":")[0] for line in said[1].splitlines() if "largest difference" in line]
    return f"{said[0].splitlines()[-1]}, {said[1].splitlines()[-1]} ({', '.join(kernels)})"


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
