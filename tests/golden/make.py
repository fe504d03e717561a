"""Makes the tiny network and its golden pictures anew: PYTHONPATH=tests python tests/golden/make.py

Only for a change that is meant to change pictures; say in the commit which, and look at them first.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from golden_pictures import CASES, FOLDER, picture_of
from PIL import Image

from edge_sr.bundle import Source
from edge_sr.export.bundle import Identity, export_bundle
from edge_sr.models.implicit.diinn import Diinn
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec
from edge_sr.upscaler import Upscaler

SPEC = NetworkSpec("golden", EncoderSpec("residual", 8, 1), DecoderSpec(3, False, (8, 8), True))


def main() -> None:
    folder = FOLDER / "network"
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(15)
    network = Diinn(SPEC).eval()
    export_bundle(network, Identity("golden", "1", Source("random", "0" * 64)), folder, ("fp32",))
    with Upscaler(folder, backend="onnxruntime", precision="fp32", threads=1) as up:
        for case in CASES:
            Image.fromarray(picture_of(up, case)).save(Path(FOLDER) / f"{case.name}.png", optimize=True)


if __name__ == "__main__":
    main()
