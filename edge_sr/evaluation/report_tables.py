"""The report's further tables: times by part, and what INT8 costs layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from edge_sr.evaluation.results import LayerLoss, RowSpeed


def scrolling(label: str, head: str, rows: Iterable[str]) -> str:
    """A table that scrolls sideways by itself, by keyboard too."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table>'
        f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def times(entries: Sequence[tuple[str, RowSpeed]]) -> str:
    """Milliseconds of each part for 10^6 output pixels, and such frames a second; labels say which network."""
    if not entries:
        return ""
    head = _head("Network", "Scale", "Backend", "Encoder ms", "Decoder ms", "Frame ms", "Frames a second")
    rows = [
        _row(
            label,
            f"x{speed.scale:g}",
            escape(speed.backend),
            f"{speed.encoder_ms:.1f}",
            f"{speed.decoder_ms:.1f}",
            f"{speed.total_ms:.1f}",
            f"{1000 / speed.total_ms:.1f}" if speed.total_ms else "",
        )
        for label, speed in entries
    ]
    return "<h3>Time by part, for a million output pixels</h3>" + scrolling("Time by part", head, rows)


def layer_losses(entries: Sequence[LayerLoss]) -> str:
    """Each scheme's layers, the costliest first."""
    if not entries:
        return ""
    head = _head("Layer", "Bundle", "Q/DQ scheme", "Mean dB", "Worst dB", "In INT8")
    ordered = sorted(entries, key=lambda entry: (entry.bundle, entry.placement, -entry.worst_db))
    rows = [
        _row(
            entry.layer,
            escape(entry.bundle),
            escape(entry.placement),
            f"{entry.mean_db:+.4f}",
            f"{entry.worst_db:+.4f}",
            "yes" if entry.rounded else "no",
        )
        for entry in ordered
    ]
    note = "<p>PSNR lost with one layer rounded and all others not, as measured when the bundle was calibrated.</p>"
    return f"<h3>What INT8 costs, layer by layer</h3>{note}" + scrolling("Cost by layer", head, rows)


def _head(*titles: str) -> str:
    return "<tr>" + "".join(f'<th scope="col">{title}</th>' for title in titles) + "</tr>"


def _row(label: str, *cells: str) -> str:
    return (
        f'<tr><th scope="row">{escape(label)}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    )
