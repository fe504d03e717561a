"""Images of kernels: what NVRTC makes of the sources for every GPU, and which of them a GPU is given."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import pytest
from support.cuda.emulator import SHIPPED

from edge_sr.backends.cuda.compiler import images, nvrtc
from edge_sr.backends.cuda.compiler.images import SHIPPED_FORMS, SHIPPED_TARGETS, runs
from edge_sr.backends.cuda.compiler.resources import read_resources
from edge_sr.backends.cuda.compiler.sources import read_sources, sources_digest
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm, Form
from edge_sr.bundle import shipped_bundles
from edge_sr.errors import EngineError, MissingError

# Threads of a block, and blocks that an SM should hold at once, as the sources ask for.
BLOCKS = {"layer": (128, 2), "head": (128, 2), "decoder": (128, 3), "pair": (None, 1)}
REGISTERS = 65536


@pytest.fixture(scope="module")
def library() -> Any:
    try:
        return nvrtc.load_nvrtc()
    except MissingError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("target", ["sm_75", "sm_87", "sm_90", "sm_120"])
@pytest.mark.parametrize("form", SHIPPED_FORMS, ids=lambda form: form.name)
def test_no_kernel_spills_registers(library: Any, form: Form, target: str) -> None:
    """One of each generation; ``cuda/make_images.py`` prints them all."""
    _, log = nvrtc.compile_with_log(library, form.source, read_sources(), target, form.defines)
    found = read_resources(log)
    assert len(found) >= 2
    for kernel in found:
        assert kernel.spilled == 0, kernel.name
        threads, blocks = next(value for prefix, value in BLOCKS.items() if kernel.name.startswith(prefix))
        threads = threads or 32 * int(kernel.name.split("_")[1])
        assert kernel.registers * threads * blocks <= REGISTERS, kernel.name


@pytest.mark.parametrize("form", [DecoderForm((64, 64, 16), 3, True), DecoderForm((32, 16), 1, False)])
def test_other_forms_compile_too(library: Any, form: Form) -> None:
    image, log = nvrtc.compile_with_log(library, form.source, read_sources(), "sm_86", form.defines)
    assert image[:4] == b"\x7fELF"
    assert {kernel.spilled for kernel in read_resources(log)} == {0}


def test_what_does_not_compile_is_told_in_the_compilers_words(library: Any) -> None:
    with pytest.raises(EngineError, match="does not compile"):
        nvrtc.compile_source(library, "broken.cu", {"broken.cu": b"not C++"}, "sm_80", {})


def test_the_shipped_networks_forms_are_shipped() -> None:
    for bundle in shipped_bundles():
        spec = bundle.network
        assert EncoderForm(spec.encoder.channels) in SHIPPED_FORMS
        form = DecoderForm(tuple(spec.decoder.widths), spec.decoder.mode, spec.decoder.bilinear_base)
        assert form.name in {known.name for known in SHIPPED_FORMS}
    assert SHIPPED == SHIPPED_FORMS


@pytest.mark.parametrize(
    ("target", "capability", "expected"),
    [
        ("sm_86", (8, 6), True),
        ("sm_86", (8, 9), True),
        ("sm_87", (8, 6), False),
        ("sm_80", (9, 0), False),
        ("sm_120", (12, 1), True),
        ("compute_80", (11, 0), True),
        ("compute_80", (7, 5), False),
    ],
)
def test_which_gpu_an_image_is_for(target: str, capability: tuple[int, int], expected: bool) -> None:
    assert runs(target, capability) is expected


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images as ``cuda/make_images.py`` writes it, each holding its own name."""
    monkeypatch.setattr(images, "images_folder", lambda: tmp_path)
    for target in SHIPPED_TARGETS:
        name = f"{SHIPPED_FORMS[0].name}.{target}.xz"
        (tmp_path / name).write_bytes(lzma.compress(target.encode()))
    (tmp_path / images.DIGEST).write_text(sources_digest())
    return tmp_path


@pytest.mark.parametrize(
    ("capability", "target"),
    [
        ((7, 5), "sm_75"),
        ((8, 0), "sm_80"),
        ((8, 6), "sm_86"),
        ((8, 9), "sm_87"),
        ((9, 0), "sm_90"),
        ((10, 3), "sm_100"),
        ((11, 0), "compute_80"),
        ((12, 1), "sm_120"),
        ((13, 0), "compute_80"),
    ],
)
@pytest.mark.usefixtures("package")
def test_the_image_for_a_gpu(capability: tuple[int, int], target: str) -> None:
    assert images.find_image(SHIPPED_FORMS[0], capability).data == target.encode()


@pytest.mark.usefixtures("library")
def test_images_of_other_sources_are_not_used(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / images.DIGEST).write_text("of other sources")
    monkeypatch.setenv("EDGE_SR_CACHE", str(package / "cache"))
    image = images.find_image(SHIPPED_FORMS[3], (9, 0))
    assert image.data[:4] == b"\x7fELF" and "NVRTC" in image.origin
    assert len(list((package / "cache" / "kernels").iterdir())) == 1
    assert images.find_image(SHIPPED_FORMS[3], (9, 0)).data == image.data


def test_a_gpu_that_is_too_old_is_refused() -> None:
    with pytest.raises(MissingError, match=r"7\.5 or later, found 7\.2"):
        images.find_image(SHIPPED_FORMS[0], (7, 2))
