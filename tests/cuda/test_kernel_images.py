"""Images of kernels: what NVRTC makes of the sources for every GPU, and which of them a GPU is given."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sr.backends.cuda.compiler import images, nvrtc
from edge_sr.backends.cuda.compiler.images import SHIPPED_FORMS, SHIPPED_TARGETS, runs
from edge_sr.backends.cuda.compiler.resources import read_resources
from edge_sr.backends.cuda.compiler.sources import read_sources, sources_digest
from edge_sr.backends.cuda.kernels import every_kernel
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm, Form, SurfaceForm
from edge_sr.bundle import shipped_bundles
from edge_sr.errors import EngineError, MissingError

# Blocks that an SM should hold at once, as the sources ask for.
BLOCKS = (("layer", 2), ("head", 2), ("decoder", 3), ("pair", 1), ("int8_layer", 3), ("int8_pair", 1))
REPORT = Path(__file__).parents[2] / "docs" / "reports" / "kernels.md"
REGISTERS = 65536


@pytest.fixture(scope="module")
def library() -> Any:
    try:
        return nvrtc.load_nvrtc()
    except MissingError as error:
        pytest.skip(str(error))


def table() -> dict[str, tuple[int, ...]]:
    """Of docs/reports/kernels.md: shared memory, then registers for each target."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d |]+) \|$", REPORT.read_text(), re.MULTILINE)
    return {name: (int(shared.replace(",", "")), *map(int, rest.split(" | "))) for name, shared, rest in rows}


def test_the_report_is_of_these_sources_and_nothing_spills() -> None:
    text = REPORT.read_text()
    assert f"`{sources_digest()}`" in text, (
        "the kernels' sources have changed: python cuda/make_images.py --report docs/reports/kernels.md"
    )
    assert "**Spilled: 0 bytes**" in text
    size = re.search(r"are ([\d.]+) MB compressed", text)
    assert size is not None and float(size[1]) <= 2


def test_every_kernel_fits_as_many_blocks_as_it_asks_for() -> None:
    found = table()
    for form in SHIPPED_FORMS:
        for kernel in every_kernel(form):
            shared, *registers = found[kernel.name]
            assert shared == kernel.shared_bytes
            blocks = next(value for prefix, value in BLOCKS if kernel.name.startswith(prefix))
            assert max(registers) * kernel.threads * blocks <= REGISTERS, kernel.name
    names = {kernel.name for form in SHIPPED_FORMS for kernel in every_kernel(form)}
    assert {name for name in found if not name.startswith("surface")} == names


def test_the_report_says_what_the_compiler_says(library: Any) -> None:
    """One image; ``cuda/make_images.py`` makes them all."""
    if nvrtc.version(library) not in REPORT.read_text():
        pytest.skip(f"the report is of another release than NVRTC {nvrtc.version(library)}")
    form = SHIPPED_FORMS[-2]
    _, log = nvrtc.compile_with_log(library, form.source, read_sources(), "sm_90", form.defines)
    place = 1 + [target for target in SHIPPED_TARGETS if target.startswith("sm_")].index("sm_90")
    compiled = read_resources(log)
    assert len(compiled) == 2
    for kernel in compiled:
        assert (kernel.registers, kernel.spilled) == (table()[kernel.name][place], 0)


def test_images_beside_the_sources_are_made_of_them() -> None:
    digest = images.images_folder() / images.DIGEST
    if not digest.exists():
        pytest.skip("not made here: python cuda/make_images.py")
    assert digest.read_text().strip() == sources_digest(), (
        "the images in the package are older than the kernels' sources: python cuda/make_images.py"
    )


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
    form = SurfaceForm()
    image = images.find_image(form, (9, 0))
    assert image.data[:4] == b"\x7fELF" and "NVRTC" in image.origin
    assert len(list((package / "cache" / "kernels").iterdir())) == 1
    assert images.find_image(form, (9, 0)).data == image.data


def test_a_gpu_that_is_too_old_is_refused() -> None:
    with pytest.raises(MissingError, match=r"7\.5 or later, found 7\.2"):
        images.find_image(SHIPPED_FORMS[0], (7, 2))


@pytest.mark.skipif(sys.platform != "linux", reason="not run: how libraries are found is Linux's here")
def test_what_a_wheel_of_nvrtc_keeps_beside_it_is_found(tmp_path: Path) -> None:
    """CUDA 13's wheel names no folder to look in."""
    installed = nvrtc._installed()
    if not installed:
        pytest.skip("not installed: nvidia-cuda-nvrtc-cu12")
    for path in installed[0].parent.glob("libnvrtc*.so.*"):
        shutil.copy(path, tmp_path)
    code = (
        "from pathlib import Path\n"
        "from edge_sr.backends.cuda.compiler import nvrtc\n"
        f"nvrtc._installed = lambda: sorted(Path({str(tmp_path)!r}).glob('libnvrtc.so*'))\n"
        "nvrtc.load_nvrtc()\n"
        "print(Path('/proc/self/maps').read_text())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{tmp_path}/libnvrtc-builtins" in done.stdout
