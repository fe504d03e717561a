"""Images of kernels: from the package where it has one for this GPU, else compiled once and kept.

``NAME.sm_87.xz`` is a cubin, for GPUs of compute capability 8.7 and later ones of the same major version;
``NAME.compute_80.xz`` is PTX, which the driver compiles for any GPU from 8.0 on. ``digest`` beside them names the
sources that they were made from: images of other sources are not used.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_sr.backends.cuda.compiler import nvrtc
from edge_sr.backends.cuda.compiler.sources import read_sources, sources_digest
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm, Form, Int8Form, SurfaceForm
from edge_sr.engines.store.folder import open_folder, write_private
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.machine.cache import engines_folder

Capability = tuple[int, ...]

SHIPPED_FORMS: tuple[Form, ...] = (
    EncoderForm(16),
    EncoderForm(32),
    Int8Form(16),
    Int8Form(32),
    DecoderForm((32, 32, 32), 3, True),
    DecoderForm((32, 16, 16), 3, True),
    SurfaceForm(),
)
# Cubins run from their own minor version on, so 8.6 serves 8.9, 10.0 serves 10.3 and 12.0 serves 12.1. Thor (11.0 in
# CUDA 13, 10.1 before) has no name that both generations of drivers know: the driver compiles the PTX for it.
SHIPPED_TARGETS = ("sm_75", "sm_80", "sm_86", "sm_87", "sm_90", "sm_100", "sm_120", "compute_80")
OLDEST: Capability = (7, 5)
DIGEST = "digest"


@dataclass(frozen=True)
class Image:
    """``origin`` says where it comes from, in words."""

    data: bytes
    target: str
    origin: str


def images_folder() -> Path:
    return Path(__file__).parents[1] / "images"


def find_image(form: Form, capability: Capability) -> Image:
    """The kernels of a form for a GPU; ``MissingError`` where they must be compiled and NVRTC is not installed."""
    if capability < OLDEST:
        found = ".".join(map(str, capability))
        raise MissingError(
            f"the kernels need compute capability 7.5 or later, found {found}; use --backend native"
        )
    shipped = next(_shipped(form, capability), None)
    return shipped or compile_image(form, capability)


def _shipped(form: Form, capability: Capability) -> Iterator[Image]:
    """The package's images that this GPU runs, the best first."""
    folder = images_folder()
    try:
        if (folder / DIGEST).read_text(encoding="ascii").strip() != sources_digest():
            return
    except OSError:
        return
    for target in sorted(SHIPPED_TARGETS, key=_preference, reverse=True):
        path = folder / f"{form.name}.{target}.xz"
        if runs(target, capability) and path.is_file():
            yield Image(lzma.decompress(path.read_bytes()), target, f"{target} of the package")


def describe_kernels(capability: Capability | None) -> str:
    """Where kernels come from here, in words; ``None``: for no GPU in particular."""
    form, libraries = SHIPPED_FORMS[0], []
    targets = [
        target for target in SHIPPED_TARGETS if (images_folder() / f"{form.name}.{target}.xz").is_file()
    ]
    if capability is not None:
        shipped = next(_shipped(form, capability), None)
        targets = [shipped.target] if shipped else []
    if targets:
        libraries.append(f"kernels of the package for {', '.join(targets)}")
    try:
        libraries.append(f"NVRTC {nvrtc.version(nvrtc.load_nvrtc())} compiles others")
    except MissingError:
        libraries.append("no NVRTC to compile others")
    return ", ".join(libraries)


def capability_of(target: str) -> Capability:
    """``(8, 7)`` for ``sm_87`` and ``compute_87``."""
    return divmod(int(target.partition("_")[2]), 10)


def runs(target: str, capability: Capability) -> bool:
    """Whether a GPU of this compute capability takes an image for ``target``."""
    made_for = capability_of(target)
    if target.startswith("compute_"):
        return capability >= made_for
    return capability[0] == made_for[0] and capability[1] >= made_for[1]


def _preference(target: str) -> tuple[bool, Capability]:
    return target.startswith("sm_"), capability_of(target)


def compile_image(form: Form, capability: Capability) -> Image:
    """By NVRTC, for this GPU or, where it is newer than the compiler, as PTX; kept beside the engines."""
    library = nvrtc.load_nvrtc()
    target = target_for(nvrtc.architectures(library), capability)
    name = f"{form.name}.{target}.{sources_digest()}.nvrtc-{nvrtc.version(library)}"
    origin = f"{target} by NVRTC {nvrtc.version(library)}"
    kept = _kept(name)
    if kept is not None:
        return Image(kept, target, origin)
    data = nvrtc.compile_source(library, form.source, read_sources(), target, form.defines)
    _keep(name, data)
    return Image(data, target, origin)


def target_for(known: tuple[int, ...], capability: Capability) -> str:
    """What a compiler that knows these architectures makes for a GPU: a cubin, or PTX for one that is newer than it."""
    own = 10 * capability[0] + capability[1]
    if own in known:
        return f"sm_{own}"
    return f"compute_{max(number for number in known if number < own)}"


def kernels_folder() -> Path:
    """Where compiled images lie: the user's alone, as code is."""
    return engines_folder() / "kernels"


def _kept(name: str) -> bytes | None:
    try:
        return (open_folder(kernels_folder()) / name).read_bytes()
    except (OSError, EdgeSRError):
        return None


def _keep(name: str, data: bytes) -> None:
    """A cache that cannot be written is compiled for again next time, no more."""
    try:
        write_private(open_folder(kernels_folder()) / name, data)
    except (OSError, EdgeSRError):
        return
