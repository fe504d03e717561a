"""Compiles the kernels of the shipped networks' forms for every GPU, into the package, with NVRTC alone.

    pip install 'nvidia-cuda-nvrtc-cu12==12.9.*'
    python cuda/make_images.py
    python cuda/make_images.py --report docs/reports/kernels.md

Needs no toolkit, driver or GPU. Run before a wheel is built, it puts the images into the wheel; without them kernels
are compiled at first use. ``--report`` writes the table of resources, which ``tests/cuda/test_kernel_images.py`` keeps.
"""

from __future__ import annotations

import argparse
import lzma
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from edge_sr.backends.cuda.compiler import nvrtc
from edge_sr.backends.cuda.compiler.images import DIGEST, SHIPPED_FORMS, SHIPPED_TARGETS, images_folder
from edge_sr.backends.cuda.compiler.resources import Resources, read_resources
from edge_sr.backends.cuda.compiler.sources import read_sources, sources_digest
from edge_sr.backends.cuda.kernels import every_kernel
from edge_sr.backends.cuda.network.form import Form

Table = dict[str, dict[str, Resources]]
"""Of each kernel, by target."""

INTRODUCTION = """# Resources of the GPU kernels

Registers a thread, as the assembler of NVRTC {version} gives them out for each kind of GPU, and shared memory a block.
**Spilled: {spilled} bytes** in all of them: nothing that is chosen keeps registers in memory. `sm_86` serves 8.9 too,
`sm_100` 10.3, `sm_120` 12.1. The images of all forms and targets, PTX for others included, are {size} compressed.

Whether they are right, and how fast: [another report](gpu.md).
Made by `python cuda/make_images.py --report docs/reports/kernels.md` of sources
`{digest}`; a test fails when the sources are others.
"""


@dataclass(frozen=True)
class Made:
    size: int
    table: Table


def make_images(folder: Path) -> Made:
    """Every form for every target, into the folder."""
    library = nvrtc.load_nvrtc()
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()

    def compiled(form: Form, target: str) -> tuple[int, str, list[Resources]]:
        image, log = nvrtc.compile_with_log(library, form.source, read_sources(), target, form.defines)
        packed = lzma.compress(image, preset=9 | lzma.PRESET_EXTREME)
        (folder / f"{form.name}.{target}.xz").write_bytes(packed)
        return len(packed), target, read_resources(log)

    wanted = [(form, target) for form in SHIPPED_FORMS for target in SHIPPED_TARGETS]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda each: compiled(*each), wanted))
    (folder / DIGEST).write_text(sources_digest() + "\n", encoding="ascii")
    table: Table = {}
    for _, target, found in done:
        for kernel in found:
            table.setdefault(kernel.name, {})[target] = kernel
    return Made(sum(size for size, _, _ in done), table)


def report(made: Made) -> str:
    """The table in Markdown."""
    targets = [target for target in SHIPPED_TARGETS if target.startswith("sm_")]
    spilled = sum(found.spilled for kernel in made.table.values() for found in kernel.values())
    words = INTRODUCTION.format(
        version=nvrtc.version(nvrtc.load_nvrtc()),
        spilled=spilled,
        size=f"{made.size / 1e6:.2f} MB",
        digest=sources_digest(),
    )
    head = f"| kernel | shared, bytes | {' | '.join(targets)} |\n|---|---|{'---|' * len(targets)}\n"
    return f"{words}\n{head}{''.join(_rows(made.table, targets))}"


def _rows(table: Table, targets: list[str]) -> Iterator[str]:
    shared = {kernel.name: kernel.shared_bytes for form in SHIPPED_FORMS for kernel in every_kernel(form)}
    for name in sorted(table):
        registers = " | ".join(str(table[name][target].registers) for target in targets)
        yield f"| `{name}` | {shared.get(name, 0):,} | {registers} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--report", type=Path, help="write the table of resources to this file")
    options = parser.parse_args()
    made = make_images(images_folder())
    for name, found in made.table.items():
        for target, kernel in found.items():
            print(f"{target:10} {name:42} {kernel.registers:3} registers, {kernel.spilled} bytes spilled")
    print(f"{len(SHIPPED_FORMS) * len(SHIPPED_TARGETS)} images, {made.size:,} bytes")
    if options.report is not None:
        options.report.write_text(report(made), encoding="utf-8")


if __name__ == "__main__":
    main()
