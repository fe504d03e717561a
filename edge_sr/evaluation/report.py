"""The report: one HTML page with everything inside it, from one evaluation or several merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from edge_sr.chart import SHAPES, Level, Point, scatter
from edge_sr.errors import OptionError
from edge_sr.evaluation.crops import AMPLIFIED, CROP_NAMES
from edge_sr.evaluation.report_tables import layer_losses, scrolling, times
from edge_sr.evaluation.results import SIMPLE, Evaluation, Row, RowSpeed, Score, Worst
from edge_sr.version import __version__

MEASURES = (("psnr_y", "PSNR-Y dB", 2), ("ssim_y", "SSIM-Y", 4), ("psnr_rgb", "PSNR-RGB dB", 2))
VMAF = ("vmaf", "VMAF", 1)
Measures = Sequence[tuple[str, str, int]]
# Machines may round a pixel otherwise.
SAME_DB = 0.05


def page(evaluations: Sequence[Evaluation]) -> str:
    """The whole page. Raises ``OptionError`` when runs under unlike protocols are to share it."""
    protocols = {evaluation.protocol for evaluation in evaluations}
    if len(protocols) != 1:
        raise OptionError(
            f"expected evaluations of one protocol to merge, found {len(protocols)}: measure again"
        )
    sets = list(dict.fromkeys(evaluation.set for evaluation in evaluations))
    runs = {name: [one for one in evaluations if one.set == name] for name in sets}
    for name in sets:
        _require_same_pictures(name, runs[name])
    sections = [_section(name, runs[name], i) for i, name in enumerate(sets)]
    links = [f'<li><a href="#set-{i}">{escape(name)}</a></li>' for i, name in enumerate(sets)]
    return Template(_resource("report.html")).substitute(
        title=f"Picture quality and speed: {escape(', '.join(sets))}",
        style=_resource("report.css") + SHAPES,
        version=__version__,
        links="".join([*links, '<li><a href="#method">How this was measured</a></li>']),
        sections="\n".join(sections),
        protocol=escape(protocols.pop()),
        amplified=AMPLIFIED,
        machines="\n".join(_machine(run, runs[name]) for name in sets for run in runs[name]),
    )


def _require_same_pictures(name: str, runs: Sequence[Evaluation]) -> None:
    """``OptionError`` where interpolation, which knows no network, comes to other figures: a set is a folder's name."""
    known: dict[tuple[str, float], Row] = {}
    for row in (row for run in runs for row in run.rivals if row.bundle in SIMPLE):
        first = known.setdefault((row.bundle, row.scale), row)
        if not _alike(row, first):
            found = " and ".join(
                f"{_pictures(one.images)} with {row.bundle} at {_text(one.psnr_y)} dB" for one in (first, row)
            )
            raise OptionError(
                f"expected runs over the same pictures, found two sets called {name}, at x{row.scale:g} {found}: "
                "make a report of each, or rename a folder and measure again"
            )


def _alike(one: Row, other: Row) -> bool:
    """Whether two rows came to the same figures."""
    return one.images == other.images and abs((one.psnr_y or 0) - (other.psnr_y or 0)) <= SAME_DB


def _resource(name: str) -> str:
    return files("edge_sr.evaluation").joinpath("page", name).read_text(encoding="utf-8")


def _section(name: str, runs: Sequence[Evaluation], index: int) -> str:
    images = max(row.images for run in runs for row in run.results)
    scales = sorted({row.scale for run in runs for row in run.results})
    charts = [_chart(runs, scale) for scale in scales]
    parts = [
        f'<section id="set-{index}"><h2>{escape(name)} <span class="faint">{_pictures(images)}</span></h2>',
        _table(runs, scales),
        "<h3>Quality against time</h3>",
        f'<div class="charts">{"".join(charts)}</div>',
        times([(_label(speed, run, runs), speed) for run in runs for speed in run.speed]),
        layer_losses(list(dict.fromkeys(entry for run in runs for entry in run.layers))),
        _worst([(_label(entry, run, runs), entry) for run in runs for entry in run.worst if entry.crops]),
        "</section>",
    ]
    return "\n".join(parts)


def _pictures(count: int) -> str:
    return f"{count} picture" + "s" * (count != 1)


def _measures(runs: Sequence[Evaluation]) -> Measures:
    measured = any(row.vmaf is not None for run in runs for row in run.results)
    return (*MEASURES, VMAF) if measured else MEASURES


def _table(runs: Sequence[Evaluation], scales: Sequence[float]) -> str:
    measures = _measures(runs)
    groups = "".join(f'<th scope="colgroup" colspan="{len(measures)}">x{scale:g}</th>' for scale in scales)
    titles = "".join(
        f'<th scope="col"{_edge(key)}>{title}</th>' for _ in scales for key, title, _ in measures
    )
    rows = list(_labelled(runs))
    labels = list(dict.fromkeys(label for label, _, _ in rows))
    head = f'<tr><th scope="col" rowspan="2">Network</th>{groups}</tr><tr class="titles">{titles}</tr>'
    return scrolling("Figures", head, [_table_row(label, rows, scales, measures) for label in labels])


def _edge(key: str) -> str:
    return ' class="first"' if key == MEASURES[0][0] else ""


def _labelled(runs: Sequence[Evaluation]) -> Iterable[tuple[str, Row, bool]]:
    """Every row with its label and whether it is a baseline; equal baselines of several runs fall together.

    Plain interpolation comes first, then the networks, then their whole scales brought to size.
    """
    baselines = [(_baseline_label(row, run, runs), row, True) for run in runs for row in run.rivals]
    yield from (entry for entry in baselines if entry[1].bundle in SIMPLE)
    for run in runs:
        yield from ((_label(row, run, runs), row, False) for row in run.results)
    yield from (entry for entry in baselines if entry[1].bundle not in SIMPLE)


def _baseline_label(row: Row, run: Evaluation, runs: Sequence[Evaluation]) -> str:
    """Its own, and the run's number where others come to other figures: a network's whole scales change with it."""
    found = [
        one for other in runs for one in other.rivals if (one.label, one.scale) == (row.label, row.scale)
    ]
    return row.label if all(_alike(row, one) for one in found) else f"{row.label} ({_numbered(run, runs)})"


def _label(row: Row | RowSpeed | Worst, run: Evaluation, runs: Sequence[Evaluation]) -> str:
    """Bundle and precision, and what else tells this run from the others: its device, its backend, its number."""
    devices = {_device(other) for other in runs}
    backends = {speed.backend for other in runs for speed in other.speed}
    marks = [_device(run)] if len(devices) > 1 else []
    if len(backends) > 1:
        marks.append(_backend(row, run))
    if any(other is not run and _repeats(other, run, row) for other in runs):
        marks.append(_numbered(run, runs))
    return f"{row.bundle} {row.precision}" + (f" ({', '.join(marks)})" if marks else "")


def _numbered(run: Evaluation, runs: Sequence[Evaluation]) -> str:
    return f"run {next(number for number, other in enumerate(runs, 1) if other is run)}"


def _repeats(other: Evaluation, run: Evaluation, row: Row | RowSpeed | Worst) -> bool:
    """Whether ``other`` measured what the row tells of too, as before and after a network's update."""
    name = row.bundle, row.precision
    scales = [
        {one.scale for one in each.results if (one.bundle, one.precision) == name} for each in (run, other)
    ]
    same = _device(other) == _device(run) and _backend(row, other) == _backend(row, run)
    return same and not scales[0].isdisjoint(scales[1])


def _device(run: Evaluation) -> str:
    """What computed: of a fleet's node the GPU, and which node's, since several may have the same."""
    machine = run.machine
    computing = str(machine.get("gpu") or machine.get("cpu"))
    return f"{computing} of {machine['node']}" if "node" in machine else computing


def _backend(row: Row | RowSpeed | Worst, run: Evaluation) -> str:
    here = (speed for speed in run.speed if (speed.bundle, speed.precision) == (row.bundle, row.precision))
    return next((speed.backend for speed in here), "unknown")


def _table_row(
    label: str, rows: Sequence[tuple[str, Row, bool]], scales: Sequence[float], measures: Measures
) -> str:
    baseline = next(is_baseline for name, _, is_baseline in rows if name == label)
    cells = []
    for scale in scales:
        here = [(name, row) for name, row, _ in rows if row.scale == scale]
        own = next((row for name, row in here if name == label), None)
        for measure in measures:
            known = [row for _, row in here if _is_known(row, measure[0])]
            cells.append(_cell(measure, own if own in known else None, known))
    kind = ' class="rival"' if baseline else ""
    return f'<tr{kind}><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>'


def _is_known(row: Row, key: str) -> bool:
    """No VMAF was not measured; no PSNR is a picture without a fault."""
    return key != VMAF[0] or row.vmaf is not None


def _cell(measure: tuple[str, str, int], own: Row | None, rows: Sequence[Row]) -> str:
    """A figure, marked where no other of ``rows`` is better."""
    key, _, digits = measure
    if own is None:
        return f"<td{_edge(key)}></td>"
    value: Score = getattr(own, key)
    text = _text(value, digits)
    if own.equal and value is not None and key.startswith("psnr"):
        text += f' <small class="faint">{own.equal} equal</small>'
    if _rounded(value, digits) >= max(_rounded(getattr(row, key), digits) for row in rows):
        edge = " first" if _edge(key) else ""
        return f'<td class="best{edge}">{text}</td>'
    return f"<td{_edge(key)}>{text}</td>"


def _text(value: Score, digits: int = 2) -> str:
    return "equal" if value is None else f"{value:.{digits}f}"


def _rounded(value: Score, digits: int) -> float:
    return float("inf") if value is None else round(value, digits)


def _chart(runs: Sequence[Evaluation], scale: float) -> str:
    points = list(_points(runs, scale))
    if not points:
        return ""
    baselines = {row.bundle: row.psnr_y for run in runs for row in run.rivals if row.scale == scale}
    levels = [Level(value, name) for name, value in baselines.items() if name in SIMPLE and value is not None]
    title = f"Quality against time at x{scale:g}"
    svg = scatter(title, points, levels, "ms for 10^6 output pixels", "PSNR-Y dB")
    return f"<figure>{svg}<figcaption>x{scale:g}: up and to the left is better.</figcaption></figure>"


def _points(runs: Sequence[Evaluation], scale: float) -> Iterable[Point]:
    names = list(dict.fromkeys(row.bundle for run in runs for row in run.results))
    for run in runs:
        quality = {(row.bundle, row.precision): row.psnr_y for row in run.results if row.scale == scale}
        for speed in run.speed:
            value = quality.get((speed.bundle, speed.precision))
            if speed.scale == scale and value is not None:
                yield Point(speed.total_ms, value, _label(speed, run, runs), names.index(speed.bundle))


def _worst(entries: Sequence[tuple[str, Worst]]) -> str:
    if not entries:
        return ""
    return (
        "<h3>Where it does worst</h3><p>The lowest pictures of each row, where they err most. "
        "Focus or click a crop to enlarge it.</p>" + "".join(_worst_entry(*entry) for entry in entries)
    )


def _worst_entry(label: str, entry: Worst) -> str:
    title = f"{label} x{entry.scale:g}: {entry.picture}, {_text(entry.psnr_y)} dB"
    x, y, width, height = entry.box
    crops = "".join(
        f'<figure><img tabindex="0" src="{escape(entry.crops[name])}" alt="{name} of {escape(entry.picture)}">'
        f"<figcaption>{name}</figcaption></figure>"
        for name in CROP_NAMES
    )
    place = f'<span class="faint">at {x}, {y}, {width} x {height} pixels</span>'
    return f'<h4>{escape(title)} {place}</h4><div class="crops">{crops}</div>'


def _machine(evaluation: Evaluation, runs: Sequence[Evaluation]) -> str:
    facts = {
        "Backends": ", ".join(sorted({speed.backend for speed in evaluation.speed})) or "none timed",
        **{key: str(value) for key, value in evaluation.machine.items()},
    }
    items = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    bundles = ", ".join(sorted({row.bundle for row in evaluation.results}))
    repeated = any(
        other is not evaluation and _repeats(other, evaluation, row)
        for other in runs
        for row in evaluation.results
    )
    which = f" ({_numbered(evaluation, runs)})" if repeated else ""
    measured = f'<p class="faint">{escape(f"{bundles} on {evaluation.set}{which}")}</p>'
    return f"<h3>Machine</h3>{measured}<dl>{items}</dl>"
