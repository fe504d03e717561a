"""What is asked for, and where it goes."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

from edge_sr.bundle import DEFAULT_MODEL
from edge_sr.errors import OptionError
from edge_sr.masking import remember
from edge_sr.sizes import Region, Size, output_size, size_text
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.upscale.run.places import beside_input
from edge_sr.video.film.info import Excerpt
from edge_sr.video.opening import HARDWARE_DECODERS
from edge_sr.video.piped.forms import PipeFormat

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
    def network(self) -> NetworkChoice:
        """What it asks of its network."""
        model = self.model or DEFAULT_MODEL
        return NetworkChoice(model, self.backend, self.precision, self.threads, self.tta, self.retune)

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
