"""What is reported of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from edge_sr.machine.memory import peak_rss_mb
from edge_sr.masking import masked_report
from edge_sr.sizes import Size

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from edge_sr.upscale.making.maker import NodeShare, RunNetwork
    from edge_sr.upscale.run.medians import PartMedians


NETWORK = frozenset({"model", "backend", "encoder_backend", "precision"})


@dataclasses.dataclass(frozen=True)
class Failure:
    """An input of several that could not be upscaled, and why."""

    input: str
    error: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What was done. ``frames`` counts those in the output, ``resumed_frames`` those of an earlier run, and
    ``was_done`` says that they are all of one: what made them is then ``None`` where that run left no word of it.
    ``failed`` names what of a folder was not done, for which the command ends with 4."""

    output: str
    frames: int
    seconds: float
    fps: float
    input_size: Size
    output_size: Size
    model: str | None
    backend: str | None
    encoder_backend: str | None
    precision: str | None
    placement: str | None
    encoder_ms: float
    decoder_ms: float
    peak_rss_mb: float | None
    device_mb: float | None
    codec: str | None = None
    tta: bool | None = None
    was_done: bool | None = None
    resumed_frames: int = 0
    bad_frames: int = 0
    dropped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nodes: tuple[NodeShare, ...] | None = None
    failed: tuple[Failure, ...] = ()

    def mapping(self) -> dict[str, Any]:
        """The report as JSON has it; keys without a value are left out, but for what every report has."""
        facts = masked_report(dataclasses.asdict(self))
        return {key: value for key, value in facts.items() if value is not None or key in NETWORK}


class RunDetails(TypedDict, total=False):
    """What a report says of some runs alone."""

    codec: str
    resumed_frames: int
    bad_frames: int
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    nodes: tuple[NodeShare, ...] | None


def report(
    network: RunNetwork,
    times: PartMedians,
    *,
    output: Path,
    frames: int,
    seconds: float,
    input_size: Size,
    output_size: Size,
    **more: Unpack[RunDetails],
) -> Report:
    """The report of a run that made ``frames`` frames now, in ``seconds``; ``times`` of what each took."""
    median = times.median()
    return Report(
        output=str(output),
        frames=frames + more.get("resumed_frames", 0),
        seconds=round(seconds, 3),
        fps=round(frames / seconds, 3) if seconds > 0 else 0.0,
        input_size=input_size,
        output_size=output_size,
        model=network.model,
        backend=network.backend,
        encoder_backend=network.encoder_backend,
        precision=network.precision,
        placement=network.scheme,
        encoder_ms=round(median.encoder_ms, 3),
        decoder_ms=round(median.decoder_ms, 3),
        peak_rss_mb=peak_rss_mb(),
        device_mb=None if network.device_bytes is None else round(network.device_bytes / 1e6, 1),
        tta=network.tta or None,
        **more,
    )


def damage(warnings: Sequence[str], bad_frames: int, source: str) -> list[str]:
    """What is wrong with a film, a line each: what its reader warned of, and how many frames are bad."""
    return [*warnings, *([f"{bad_frames} bad frames in {source}"] if bad_frames else [])]


def finished(
    output: Path,
    frames: int,
    recorded: Mapping[str, Any] = MappingProxyType({}),
    *,
    input_size: Size,
    output_size: Size,
    codec: str | None = None,
) -> Report:
    """The report of what an earlier run made, with the settings that it ``recorded``, if any."""
    return Report(
        output=str(output),
        frames=frames,
        seconds=0.0,
        fps=0.0,
        input_size=input_size,
        output_size=output_size,
        model=recorded.get("model"),
        backend=recorded.get("backend"),
        encoder_backend=recorded.get("encoder backend"),
        precision=recorded.get("precision"),
        placement=recorded.get("placement"),
        encoder_ms=0.0,
        decoder_ms=0.0,
        peak_rss_mb=peak_rss_mb(),
        device_mb=None,
        was_done=True,
        resumed_frames=frames,
        codec=codec,
    )
