"""What a live run is asked for, and what it reports."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

from edge_sr.sizes import Size, output_size
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.video.encode.codecs import refuse_odd
from edge_sr.video.frames.pixels import even_neighbours
from edge_sr.video.live.address import Address
from edge_sr.video.live.outlets import Outlet
from edge_sr.video.live.sources import SourcePlan
from edge_sr.video.shape import fitted, pixel_aspect
from edge_sr.web.place import Place


@dataclasses.dataclass(frozen=True)
class CameraRequest:
    """One ``edge-sr camera``. ``rate`` is the deadline's, ``duration`` in seconds;
    ``protocols`` are what the source may open beside its own kind.
    """

    source: Address
    outlet: Outlet | None
    place: Place | None
    scale: Fraction | None
    size: Size | None
    rate: Fraction | None = None
    duration: float | None = None
    lowest_scale: float = 1.0
    still_threshold: int = 0
    network: NetworkChoice = dataclasses.field(default_factory=NetworkChoice)
    protocols: frozenset[str] = frozenset()

    @property
    def source_plan(self) -> SourcePlan:
        return SourcePlan(self.source, self.rate, self.protocols)

    def target(self, source: Size) -> Size:
        """The output's size for a source of that size; ``OptionError`` where it cannot be.

        What a scale makes odd goes up to even for 4:2:0. An explicit odd size is refused.
        """
        size = output_size(*source, scale=self.scale, size=self.size)
        even = even_neighbours(size, "420")
        if self.size is not None and self.outlet is not None:
            refuse_odd(size, "420")
        return even


@dataclasses.dataclass(frozen=True)
class Fit:
    """How a source's frames lie in the output: at ``inner`` pixels, ``highest`` times their own size."""

    source: Size
    inner: Size

    @property
    def highest(self) -> float:
        return float((self.inner[0] * self.inner[1] / (self.source[0] * self.source[1])) ** 0.5)

    def network_size(self, scale: float) -> Size:
        """What the network computes at ``scale``: the inner size made smaller, never below the source."""
        share = min(1.0, scale / self.highest)
        return (
            max(self.source[0], round(self.inner[0] * share)),
            max(self.source[1], round(self.inner[1] * share)),
        )


def fit(
    source: Size,
    first: Size,
    target: Size,
    aspect: Fraction = Fraction(1),
    first_aspect: Fraction = Fraction(1),
) -> Fit:
    """The output is as large as ``first``, the first frame's size, made it; another displayed shape gets bars.

    ``aspect`` and ``first_aspect`` are those of the two frames' pixels.
    """
    if source[0] * first[1] * aspect == source[1] * first[0] * first_aspect:
        return Fit(source, target)
    wider = aspect / pixel_aspect(first_aspect, first, target)
    width, height = fitted((source[0] * wider.numerator, source[1] * wider.denominator), target)
    return Fit(source, (max(source[0], width // 2 * 2), max(source[1], height // 2 * 2)))


@dataclasses.dataclass
class LiveReport:
    """The figures of a run. ``latency_ms``: from a frame's arrival to its leaving the sink.

    Of ``dropped`` frames ``thinned`` were left out because ``--fps`` asks for fewer than come in, and ``skipped``
    because no scale is quick enough: of the others only every ``every``-th was taken at the end, which makes
    ``held_fps``. ``repeated`` frames filled gaps of the source.
    """

    frames_in: int = 0
    frames_out: int = 0
    dropped: int = 0
    thinned: int = 0
    skipped: int = 0
    repeated: int = 0
    reused_tiles: int = 0
    scale_changes: int = 0
    reconnects: int = 0
    latency_ms: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    )
    fps: float = 0.0
    seconds: float = 0.0
    missed: int = 0
    every: int = 1
    held_fps: float | None = None
    scale: float = 0.0
    input_size: Size = (0, 0)
    output_size: Size = (0, 0)
    model: str = ""
    backend: str = ""
    encoder_backend: str = ""
    precision: str = ""
    placement: str | None = None
    interrupted: bool = False

    def mapping(self) -> dict[str, Any]:
        """The JSON form; ``placement`` with INT8 alone."""
        values = dataclasses.asdict(self)
        del values["interrupted"]
        if self.placement is None:
            del values["placement"]
        return values
