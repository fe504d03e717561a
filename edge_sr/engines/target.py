"""Target profiles: what is known of a device before an engine is built for it.

A profile is a TOML file. The project's own lie in ``engines/targets`` of a checkout and in
``edge_sr/engines/targets`` of an installed package; a user's may lie anywhere.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from edge_sr.engines.interface.loader import RTX_COMPUTE_CAPABILITIES, Flavour
from edge_sr.errors import ConfigError, OptionError, UnknownNameError
from edge_sr.files.config import load_toml
from edge_sr.kinds import Precision
from edge_sr.machine.gpu import Gpu
from edge_sr.sizes import Size, parse_size

# A profile's name that ``auto`` stands for: for containers that hide what board they run on.
VARIABLE = "EDGE_SR_TARGET"
# How far a Jetson's memory and multiprocessors may be from a profile's to be that family's, in powers of two.
FARTHEST = 1.5
MOST_MIB = 1 << 24
MOST_LEVEL = 5  # TensorRT's own


@dataclass(frozen=True)
class TargetProfile:
    """One device, or one family of them.

    ``memory_mib`` and ``bandwidth_gb_s`` (10**9 bytes a second) are the maker's figures, from ``sources``.
    ``integrated``: the GPU shares the host's memory. ``sizes``: input sizes, WxH, that engines are built for
    when none are asked for. ``tile``: the largest piece of output, WxH pixels, of one decoder call.
    ``workspace_mib``: memory that an engine may compute in, 0 for what follows from the memory (``workspace``).
    ``encoders`` and ``decoders``: video formats in hardware that can be reached with what is packaged for it.
    ``device_names``: parts of the names by which driver or board call such a device; ``multiprocessors``: all that it
    has, by which an unnamed Jetson is told.
    ``name`` and ``given_as`` (what stands after ``--target``) follow from the file's own name.
    """

    title: str
    flavour: str
    compute_capabilities: tuple[str, ...]
    memory_mib: int
    bandwidth_gb_s: int
    integrated: bool
    dla_cores: int
    precision: str
    sizes: tuple[str, ...]
    tile: str
    encoders: tuple[str, ...]
    decoders: tuple[str, ...]
    device_names: tuple[str, ...]
    sources: tuple[str, ...]
    optimization_level: int = 3
    workspace_mib: int = 0
    multiprocessors: int = 0
    name: str = ""
    given_as: str = ""

    def __post_init__(self) -> None:
        flavours = [flavour.value for flavour in Flavour]
        if self.flavour not in flavours:
            raise ConfigError(f"flavour must be one of {', '.join(flavours)}, found {self.flavour!r}")
        if not self.compute_capabilities or not all(map(_is_capability, self.compute_capabilities)):
            raise ConfigError(f"compute_capabilities must be like ['8.7'], found {self.compute_capabilities}")
        if not 0 < self.memory_mib <= MOST_MIB:
            raise ConfigError(f"memory_mib must lie in [1, {MOST_MIB}], found {self.memory_mib}")
        if not 0 <= self.workspace_mib <= self.memory_mib:
            raise ConfigError(f"workspace_mib must lie in [0, memory_mib], found {self.workspace_mib}")
        if self.precision not in get_args(Precision):
            raise ConfigError(
                f"precision must be one of {', '.join(get_args(Precision))}, found {self.precision!r}"
            )
        if not self.sizes:
            raise ConfigError("sizes must name at least one input size, WxH, found none")
        if not 0 <= self.optimization_level <= MOST_LEVEL:
            raise ConfigError(
                f"optimization_level must lie in [0, {MOST_LEVEL}], found {self.optimization_level}"
            )
        try:
            _ = self.tile_size, self.input_sizes
        except OptionError as error:
            raise ConfigError(str(error)) from error

    @property
    def tile_size(self) -> Size:
        return parse_size(self.tile, "tile")

    @property
    def workspace(self) -> int:
        """MiB that an engine may compute in: half of a card's memory, an eighth of what a Jetson shares with all else,
        and there 1 GiB at most."""
        shared = min(1024, self.memory_mib // 8)
        return self.workspace_mib or (shared if self.integrated else self.memory_mib // 2)

    @property
    def input_sizes(self) -> tuple[Size, ...]:
        return tuple(parse_size(text, "an entry of sizes") for text in self.sizes)


def _is_capability(text: str) -> bool:
    return re.fullmatch(r"\d{1,2}\.\d", text) is not None


def targets_folder() -> Path:
    installed = Path(__file__).with_name("targets")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "engines" / "targets"


def target_names() -> list[str]:
    return sorted(path.stem for path in targets_folder().glob("*.toml"))


def said_target() -> str:
    """What ``$EDGE_SR_TARGET`` says that ``auto`` is, so that no GPU need be looked at; empty where it says nothing."""
    said = os.environ.get(VARIABLE, "")
    return "" if said == "auto" else said


def load_target(name: str, gpu: Gpu | None = None) -> TargetProfile:
    """A profile by name, by path (ending in .toml), or ``auto``: ``$EDGE_SR_TARGET``, else the one that fits ``gpu``.

    ``UnknownNameError`` for a name nobody knows; ``ConfigError`` for a file with wrong entries.
    """
    if name == "auto":
        said = said_target()
        return load_target(said) if said else _fitting(gpu)
    if name.endswith(".toml"):
        return _load(Path(name))
    if name not in target_names():
        raise UnknownNameError.among("target", name, ["auto", *target_names()], ", or a .toml file")
    return _load(targets_folder() / f"{name}.toml")


def _load(path: Path) -> TargetProfile:
    given_as = path.stem if path.parent == targets_folder() else str(path)
    return replace(load_toml(path, TargetProfile), name=path.stem, given_as=given_as)


def _fitting(gpu: Gpu | None) -> TargetProfile:
    if gpu is None:
        raise OptionError("--target auto needs the device's GPU; name a target instead of auto")
    profiles = [_load(targets_folder() / f"{name}.toml") for name in target_names()]
    scored = [(_match(profile, gpu), profile) for profile in profiles]
    best, profile = max(scored, key=lambda pair: pair[0])
    return _as_small_as(gpu, profile if best > 0 else _nearest(profiles, gpu))


def _as_small_as(gpu: Gpu, profile: TargetProfile) -> TargetProfile:
    """Of a family with less memory than the profile's, such as the Orin Nano of 4 GB."""
    memory = gpu.memory_class_gib * 1024
    return replace(profile, memory_mib=memory) if gpu.integrated and memory < profile.memory_mib else profile


def _nearest(profiles: Sequence[TargetProfile], gpu: Gpu) -> TargetProfile:
    """In a container a Jetson only says "Orin": told by capability, memory and multiprocessors."""
    alike = [profile for profile in profiles if gpu.compute_capability in profile.compute_capabilities]
    found = [(_distance(profile, gpu), profile) for profile in alike if gpu.integrated and profile.integrated]
    if found and (nearest := min(found, key=lambda pair: pair[0]))[0] <= FARTHEST:
        return nearest[1]
    raise UnknownNameError(
        f"no target profile fits {gpu.name} (compute capability {gpu.compute_capability}); name one with --target "
        f"or in {VARIABLE}, or write one like those in {targets_folder()} and give its path as --target"
    )


def _distance(profile: TargetProfile, gpu: Gpu) -> float:
    """Power modes switch multiprocessors off, so they count for less than memory does."""
    memory = abs(math.log2(gpu.memory_class_gib * 1024 / profile.memory_mib))
    counts = profile.multiprocessors, gpu.multiprocessors
    return memory + (abs(math.log2(counts[0] / counts[1])) / 4 if all(counts) else 0.0)


def _match(profile: TargetProfile, gpu: Gpu) -> int:
    """Length of the longest device name found; "NVIDIA L40S" so wins over "NVIDIA L4"."""
    if gpu.compute_capability not in profile.compute_capabilities:
        return 0
    return max((len(part) for part in profile.device_names if part in gpu.name), default=0)


def require_supported(profile: TargetProfile, flavour: Flavour) -> None:
    """``OptionError`` when no release of the flavour can ever build for the target."""
    if flavour is Flavour.TENSORRT:
        return
    outside = [text for text in profile.compute_capabilities if text not in RTX_COMPUTE_CAPABILITIES]
    if outside:
        raise OptionError(
            f"TensorRT for RTX cannot build for {profile.name} (compute capability {', '.join(outside)}), "
            f"only for {', '.join(RTX_COMPUTE_CAPABILITIES)}; use TensorRT there (--flavour tensorrt)"
        )
