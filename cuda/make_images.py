"""Compiles the kernels of the shipped networks' forms for every GPU, into the package, with NVRTC alone.

    pip install 'nvidia-cuda-nvrtc-cu12==12.9.*'
    python cuda/make_images.py

Needs no toolkit, driver or GPU. Run before a wheel is built, it puts the images into the wheel; without them kernels
are compiled at first use. Prints the table of resources that ``tests/cuda/test_kernel_images.py`` holds.
"""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from edge_sr.backends.cuda.compiler import nvrtc
from edge_sr.backends.cuda.compiler.images import DIGEST, SHIPPED_FORMS, SHIPPED_TARGETS, images_folder
from edge_sr.backends.cuda.compiler.resources import read_resources
from edge_sr.backends.cuda.compiler.sources import read_sources, sources_digest


def main() -> None:
    library, folder = nvrtc.load_nvrtc(), images_folder()
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    total = 0
    for form in SHIPPED_FORMS:
        for target in SHIPPED_TARGETS:
            image, log = nvrtc.compile_with_log(library, form.source, read_sources(), target, form.defines)
            packed = lzma.compress(image, preset=9 | lzma.PRESET_EXTREME)
            (folder / f"{form.name}.{target}.xz").write_bytes(packed)
            total += len(packed)
            for kernel in read_resources(log):
                print(
                    f"{target:10} {kernel.name:42} {kernel.registers:3} registers, {kernel.spilled} bytes spilled"
                )
    (folder / DIGEST).write_text(sources_digest() + "\n", encoding="ascii")
    print(
        f"{len(SHIPPED_FORMS) * len(SHIPPED_TARGETS)} images by NVRTC {nvrtc.version(library)}, {total:,} bytes"
    )


if __name__ == "__main__":
    main()
