"""Networks and their baselines over a set of references: the protocol of ``edge_sr.quality`` applied."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from edge_sr.backends.autotune import choose, precisions_of
from edge_sr.bundle import Bundle, open_bundle
from edge_sr.errors import MediaError, OptionError, ShapeError
from edge_sr.evaluation.crops import crops, worst_box
from edge_sr.evaluation.hr_set import HrSet
from edge_sr.evaluation.pairs import (
    Picture,
    PicturePair,
    frame_of,
    interpolated,
    levels_of,
    pairs,
    shown,
    weights_for,
)
from edge_sr.evaluation.results import (
    HDR_PROTOCOL,
    PROTOCOL,
    Evaluation,
    LayerLoss,
    Row,
    RowSpeed,
    Worst,
    finite,
    mean_row,
    number,
)
from edge_sr.evaluation.vmaf import find_ffmpeg, vmaf
from edge_sr.machine.description import describe
from edge_sr.quality import Quality, compare
from edge_sr.resample import Kernel, resize
from edge_sr.upscaler import Upscaler

Notify = Callable[[str], None]

BASELINES: dict[str, Kernel] = {"bicubic": "bicubic", "lanczos": "lanczos3"}
RIVAL_PRECISION = "fp32"  # what the resampler computes in
WORST = 2  # pictures kept for each row


@dataclasses.dataclass(frozen=True)
class EvaluationRequest:
    """What to measure; ``auto`` is a precision too, and rows say what it came to.

    ``with_crops``: for a report, with the worst pictures' crops, and VMAF where there is a libvmaf. ``tta``: each
    network's self-ensemble too, as rows of its own.
    """

    bundles: tuple[str, ...]
    references: HrSet
    scales: tuple[Fraction, ...]
    precisions: tuple[str, ...]
    backend: str
    with_crops: bool
    threads: int | None = None
    tta: bool = False

    def __post_init__(self) -> None:
        for what, values in (
            ("bundle", self.bundles),
            ("precision", self.precisions),
            ("scale", self.scales),
        ):
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise OptionError(f"the {what} {twice} is asked for twice; name it once")


@dataclasses.dataclass
class Tally:
    """Qualities picture by picture, the time they took, and the worst of them so far."""

    vmaf_by: str | None = None
    values: list[Quality] = dataclasses.field(default_factory=list)
    vmafs: list[float | None] = dataclasses.field(default_factory=list)
    encoder_seconds: float = 0.0
    decoder_seconds: float = 0.0
    pixels: int = 0
    worst: list[tuple[float, PicturePair, Picture]] = dataclasses.field(default_factory=list)

    def add(self, pair: PicturePair, picture: Picture, scale: Fraction) -> None:
        quality = compare(picture, pair.high, scale, weights_for(pair.high))
        self.values.append(quality)
        if self.vmaf_by is not None:
            self.vmafs.append(vmaf(self.vmaf_by, picture, pair.high))
        self.pixels += picture.shape[0] * picture.shape[1]
        self.worst = sorted([*self.worst, (quality.psnr_y, pair, picture)], key=lambda entry: entry[0])[
            :WORST
        ]

    @property
    def vmaf(self) -> float | None:
        """The mean; ``None`` unless every picture has one."""
        measured = [value for value in self.vmafs if value is not None]
        return sum(measured) / len(measured) if measured and len(measured) == len(self.values) else None


def evaluate(request: EvaluationRequest, notify: Notify) -> Evaluation:
    """Every row asked for and the baselines beside them; ``notify`` hears what is being measured.

    Raises what ``open_bundle``, ``Upscaler`` and the references raise, and ``MediaError`` for a picture that
    is too small to be measured.
    """
    found = _Found(request, notify)
    bundles = [open_bundle(name) for name in request.bundles]
    _require_precisions(request, bundles)
    for bundle, name in zip(bundles, unique_names(bundles), strict=True):
        for precision in request.precisions:
            found.add_network(bundle, name, precision)
    baselines = [_baseline(request.references, name, scale) for scale in request.scales for name in BASELINES]
    return Evaluation(
        set=request.references.name,
        protocol=_protocol(request.references),
        machine=dict(describe()),
        results=tuple(found.results),
        rivals=(*baselines, *found.rivals),
        speed=tuple(found.speed),
        worst=tuple(found.worst),
        layers=tuple(found.layers),
    )


def _require_precisions(request: EvaluationRequest, bundles: Sequence[Bundle]) -> None:
    """Before the first picture: what the last bundle lacks would end the run with all figures of the others lost."""
    for bundle in bundles:
        offered = precisions_of(bundle, request.backend)
        for asked in request.precisions:
            if asked != "auto" and asked not in offered:
                choose(bundle, request.backend, asked, request.threads or 1)


def _protocol(references: HrSet) -> str:
    if not references.signal:
        return PROTOCOL
    return f"{PROTOCOL} {HDR_PROTOCOL.format(signal=references.signal)}"


class _Found:
    """Collects rows while networks are gone through."""

    def __init__(self, request: EvaluationRequest, notify: Notify) -> None:
        self.request, self.notify = request, notify
        self.results: list[Row] = []
        self.rivals: list[Row] = []
        self.speed: list[RowSpeed] = []
        self.worst: list[Worst] = []
        self.layers: list[LayerLoss] = []
        # VMAF's model was made for SDR.
        self._vmaf_by = find_ffmpeg() if request.with_crops and not request.references.signal else None

    def add_network(self, bundle: Bundle, name: str, asked: str) -> None:
        with self._opened(bundle, asked) as upscaler:
            self._add_scales(bundle, name, upscaler)
            self.layers += _layer_losses(bundle, name, upscaler.scheme)
        if self.request.tta:
            with self._opened(bundle, asked, tta=True) as upscaler:
                self._add_scales(bundle, f"{name} tta", upscaler)

    def _opened(self, bundle: Bundle, asked: str, *, tta: bool = False) -> Upscaler:
        request = self.request
        return Upscaler(bundle, backend=request.backend, precision=asked, threads=request.threads, tta=tta)

    def _add_scales(self, bundle: Bundle, name: str, upscaler: Upscaler) -> None:
        for scale in self.request.scales:
            self.notify(f"{name} {upscaler.precision} on {upscaler.backend}, x{number(scale):g}")
            self._add_scale(name, upscaler, scale, _baseline_network(bundle))

    def _add_scale(self, name: str, upscaler: Upscaler, scale: Fraction, network: str | None) -> None:
        tally = measure(upscaler, self.request.references, scale, self._vmaf_by)
        precision = upscaler.precision
        row = mean_row(name, precision, scale, tally.values, upscaler.scheme, tally.vmaf)
        self.results.append(dataclasses.replace(row, network=network))
        self.speed.append(_speed(name, upscaler, scale, tally))
        self.worst += [
            _worst(name, precision, scale, entry, self.request.with_crops) for entry in tally.worst
        ]
        if scale.denominator != 1 and not upscaler.tta:
            for whole in (math.floor(scale), math.ceil(scale)):
                values = list(_resized(upscaler, self.request.references, scale, whole))
                self.rivals.append(mean_row(f"{name} x{whole} + lanczos", precision, scale, values))


def _baseline_network(bundle: Bundle) -> str | None:
    """What the bundle holds where that is not DIINN."""
    network = bundle.description.network.network
    return None if network == "diinn" else network


def _layer_losses(bundle: Bundle, name: str, scheme: str | None) -> Iterator[LayerLoss]:
    """As the bundle's calibration found them; none unless INT8 ran."""
    placements = bundle.description.extra.get("calibration", {}).get("placements", {})
    found = placements.get(scheme, {})
    for entry in found.get("sensitivity", ()):
        rounded = entry["layer"] in found["layers"]
        yield LayerLoss(name, str(scheme), entry["layer"], entry["mean_db"], entry["worst_db"], rounded)


def measure(upscaler: Upscaler, references: HrSet, scale: Fraction, vmaf_by: str | None = None) -> Tally:
    """The network over the set. The first picture goes through once untimed, to warm up."""
    tally = Tally(vmaf_by)
    for pair in pairs(references, scale):
        with _naming(pair, scale):
            if not tally.values:
                upscaler(frame_of(pair.low), size=pair.size)
            _measure_pair(upscaler, pair, scale, tally)
    return tally


def _measure_pair(upscaler: Upscaler, pair: PicturePair, scale: Fraction, tally: Tally) -> None:
    start = time.perf_counter()
    encoded = upscaler.encode(frame_of(pair.low))
    between = time.perf_counter()
    picture = upscaler.decode(encoded, size=pair.size)
    tally.encoder_seconds += between - start
    tally.decoder_seconds += time.perf_counter() - between
    tally.add(pair, levels_of(picture), scale)


@contextlib.contextmanager
def _naming(pair: PicturePair, scale: Fraction) -> Iterator[None]:
    """What cannot be measured is named, and it is the picture that is at fault, not an option."""
    try:
        yield
    except ShapeError as error:
        raise MediaError(f"{pair.name} is too small to be measured at x{number(scale):g}: {error}") from error


def _baseline(references: HrSet, name: str, scale: Fraction) -> Row:
    values = []
    for pair in pairs(references, scale):
        with _naming(pair, scale):
            picture = interpolated(pair.low, pair.size, BASELINES[name])
            values.append(compare(picture, pair.high, scale, weights_for(pair.high)))
    return mean_row(name, RIVAL_PRECISION, scale, values)


def _resized(upscaler: Upscaler, references: HrSet, scale: Fraction, whole: int) -> Iterator[Quality]:
    """The network at a whole scale, its output brought to size by Lanczos."""
    for pair in pairs(references, scale):
        picture = interpolated(levels_of(upscaler(frame_of(pair.low), scale=whole)), pair.size, "lanczos3")
        yield compare(picture, pair.high, scale, weights_for(pair.high))


def _speed(name: str, upscaler: Upscaler, scale: Fraction, tally: Tally) -> RowSpeed:
    unit = 1000 * 1e6 / tally.pixels
    return RowSpeed(
        bundle=name,
        precision=upscaler.precision,
        scale=number(scale),
        backend=upscaler.backend,
        encoder_ms=round(tally.encoder_seconds * unit, 3),
        decoder_ms=round(tally.decoder_seconds * unit, 3),
    )


def _worst(
    name: str, precision: str, scale: Fraction, entry: tuple[float, PicturePair, Picture], with_crops: bool
) -> Worst:
    value, pair, picture = entry
    box = worst_box(picture, pair.high, math.ceil(scale))
    made: dict[str, str] = {}
    if with_crops:
        made = crops(shown(picture), shown(pair.high), shown(resize(pair.low, pair.size)), box)
    return Worst(name, precision, number(scale), pair.name, finite(value), box, made)


def unique_names(bundles: Sequence[Bundle]) -> list[str]:
    """What rows call each bundle: its name, or where two share one, as a calibrated bundle and its own do, as given."""
    names = [bundle.name for bundle in bundles]
    return [bundle.name if names.count(bundle.name) == 1 else bundle.given_as for bundle in bundles]
