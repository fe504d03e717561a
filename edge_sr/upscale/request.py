"""What is asked for, where it goes, and what is reported of it."""

from __future__ import annotations

import dataclasses
import statistics
import threading
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge_sr.errors import OptionError
from edge_sr.machine.memory import peak_rss_mb
from edge_sr.masking import masked_values, remember
from edge_sr.sizes import Region, Size, output_size, size_text
from edge_sr.upscale.networks import Networks
from edge_sr.upscale.places import beside_input
from edge_sr.video.film.film import Excerpt
from edge_sr.video.opening import HARDWARE_DECODERS
from edge_sr.video.piped.forms import PipeFormat

if TYPE_CHECKING:
    from edge_sr.upscale.making.maker import Makers, NodeShare, RunNetwork
    from edge_sr.upscaler import PartTimes


# Standard input and output, as an input's or output's name.
PIPE = "-"


@dataclasses.dataclass(frozen=True)
class Request:
    """One call of ``edge-sr upscale``. Exactly one of ``scale``, ``size`` and ``height`` must be given.

    Without ``model`` the one that suits the input is taken, without ``output`` the result's name is made from the
    input's, or from ``stem``. ``go_on`` is the command that goes on with an interrupted run; it is only ever shown.
    """

    input: str
    output: Path | None = None
    scale: Fraction | None = None
    size: Size | None = None
    height: int | None = None
    model: str | None = None
    backend: str = "auto"
    precision: str = "auto"
    region: Region | None = None
    excerpt: Excerpt = dataclasses.field(default_factory=Excerpt)
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    threads: int | None = None
    tta: bool = False
    retune: bool = False
    hwaccel: str = "auto"
    resume: bool = False
    overwrite: bool = False
    strict: bool = False
    tonemap: bool = False
    protocols: frozenset[str] = frozenset()
    recursive: bool = False
    stem: str | None = None
    piping: PipeFormat = dataclasses.field(default_factory=PipeFormat)
    go_on: str = "the same command with --resume"
    segment_frames: int | None = None

    def __post_init__(self) -> None:
        remember(self.input)
        self.piping.check(self.reads_pipe, self.writes_pipe)
        given = [option for option in (self.scale, self.size, self.height) if option is not None]
        if len(given) != 1:
            raise OptionError(f"give exactly one of --scale, --size and --height, found {len(given)}")
        if self.hwaccel not in HARDWARE_DECODERS:
            raise OptionError(
                f"--hwaccel must be one of {', '.join(HARDWARE_DECODERS)}, found {self.hwaccel!r}"
            )

    @property
    def reads_pipe(self) -> bool:
        """Whether the input is standard input."""
        return self.input == PIPE

    @property
    def writes_pipe(self) -> bool:
        """Whether frames go to standard output."""
        return self.output is not None and str(self.output) == PIPE

    def whole_size(self, size: Size) -> Size:
        """The whole output's size for an input of ``size``, before any rounding to even."""
        return output_size(*size, scale=self.scale, size=self.size, target_height=self.height)

    def default_output(self, size: Size, suffix: str) -> Path:
        """``NAME-WxH.EXT`` beside the input."""
        return beside_input(self.input, size, suffix, self.stem)

    @property
    def label(self) -> str:
        """What was asked of the size, in a word for a folder's name."""
        if self.size is not None:
            return size_text(self.size)
        return f"h{self.height}" if self.scale is None else f"x{float(self.scale):g}"


class Watcher(Protocol):
    """Told how a run goes on."""

    def say(self, text: str) -> None:
        """A note or a warning, one line."""

    def begin(self, total: int, done: int) -> None:
        """``total`` frames are expected (0: nobody knows), of which ``done`` were there already."""

    def frame(self, done: int, fps: float) -> None:
        """So many frames are through the network, at this pace."""

    def end(self) -> None:
        """No more frames will come."""


class Silent:
    """A watcher that keeps it all to itself."""

    def say(self, text: str) -> None:
        del text

    def begin(self, total: int, done: int) -> None:
        del total, done

    def frame(self, done: int, fps: float) -> None:
        del done, fps

    def end(self) -> None:
        return


def _here() -> Makers:
    from edge_sr.upscale.making.here import Here

    return Here()


@dataclasses.dataclass(frozen=True)
class Controls:
    """The caller's hands on a run: ``stop`` ends it after the current frame; ``makers`` make films' segments, by
    default this process; ``networks`` opens what runs in this process."""

    watcher: Watcher = dataclasses.field(default_factory=Silent)
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)
    makers: Makers = dataclasses.field(default_factory=_here)
    networks: Networks = dataclasses.field(default_factory=Networks)


@dataclasses.dataclass(frozen=True)
class Failure:
    """An input of several that could not be upscaled, and why."""

    input: str
    error: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What was done. ``frames`` counts those in the output, ``resumed_frames`` those of an earlier run, and
    ``was_done`` says that they are all of one; ``failed`` names what of a folder was not done, for which the command
    ends with 4."""

    output: str
    frames: int
    seconds: float
    fps: float
    input_size: Size
    output_size: Size
    model: str
    backend: str
    encoder_backend: str
    precision: str
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
        """The report as JSON has it; keys without a value are left out."""
        facts = masked_values(dataclasses.asdict(self))
        return {key: value for key, value in facts.items() if value is not None}


def report(
    network: RunNetwork,
    times: Sequence[PartTimes],
    *,
    output: Path,
    frames: int,
    seconds: float,
    input_size: Size,
    output_size: Size,
    **more: Any,
) -> Report:
    """The report of a run that made ``frames`` frames now, in ``seconds``; ``times`` are what each took."""
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
        encoder_ms=_median([one.encoder_ms for one in times]),
        decoder_ms=_median([one.decoder_ms for one in times]),
        peak_rss_mb=peak_rss_mb(),
        device_mb=_megabytes(network.device_bytes),
        tta=network.tta or None,
        **more,
    )


def finished(
    request: Request, settings: Mapping[str, Any] | None = None, *, output: Path, frames: int, **more: Any
) -> Report:
    """The report of what an earlier run made, with the ``settings`` that it recorded, if any."""
    known = settings or {}
    return Report(
        output=str(output),
        frames=frames,
        seconds=0.0,
        fps=0.0,
        model=known.get("model") or request.model or "unknown",
        backend=known.get("backend", request.backend),
        encoder_backend=known.get("encoder backend", request.backend),
        precision=known.get("precision", request.precision),
        placement=known.get("placement"),
        encoder_ms=0.0,
        decoder_ms=0.0,
        peak_rss_mb=None,
        device_mb=None,
        was_done=True,
        resumed_frames=frames,
        **more,
    )


def _megabytes(count: int | None) -> float | None:
    return None if count is None else round(count / 1e6, 1)


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 3) if values else 0.0
