"""What ``edge-sr upscale`` says at its end: the report of a run, or the outline of a dry one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sr.sizes import size_text

if TYPE_CHECKING:
    from edge_sr.upscale.dry_run import Outline
    from edge_sr.upscale.making.maker import NodeShare
    from edge_sr.upscale.run.report import Report


def counted(count: int, noun: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def summary(report: Report) -> str:
    """The report in two lines; in one where an earlier run made it all."""
    still = report.codec is None and report.frames == 1
    if report.was_done:
        return f"{report.output}: done already" + ("" if still else f", {counted(report.frames, 'frame')}")
    source, result = size_text(report.input_size), size_text(report.output_size)
    return (
        f"{'standard output' if report.output == '-' else report.output}: "
        f"{'' if still else counted(report.frames, 'frame') + ', '}{source} to {result}, "
        f"by {report.model} on {report.backend} {report.precision}\n"
        f"{report.seconds:.1f} s, {'' if still else f'{report.fps:.1f} frames/s, '}"
        f"encoder {report.encoder_ms:.1f} ms, decoder {report.decoder_ms:.1f} ms, "
        f"peak memory {report.peak_rss_mb or 0:.0f} MB"
        + (f", {report.device_mb:.0f} MB on the GPU" if report.device_mb is not None else "")
        + "".join(f"\n{_share(one, report.seconds)}" for one in report.nodes or ())
    )


def _share(one: NodeShare, seconds: float) -> str:
    pace = f", {one.frames / seconds:.1f} frames/s" if seconds else ""
    return f"{one.node}: {counted(one.pieces, 'piece')}, {counted(one.frames, 'frame')}{pace}"


def preview(outline: Outline) -> str:
    """The outline of a run, a fact a line."""
    source, result = size_text(outline.input_size), size_text(outline.output_size)
    lines = [
        f"would upscale {outline.input}, {source}, to {outline.output}, {result}",
        f"model: {outline.model} ({outline.model_reason})",
        f"backend: {outline.backend} in {outline.precision}, encoder on {outline.encoder_backend}",
    ]
    if outline.codec is not None:
        kept, lost = (", ".join(names) or "none" for names in (outline.tracks_kept, outline.tracks_lost))
        lines.append(f"codec: {outline.codec}; tracks kept: {kept}; tracks lost: {lost}")
    return "\n".join([*lines, cost(outline)])


def cost(outline: Outline) -> str:
    """What the run would take, in time and bytes."""
    if outline.estimated_seconds is None or outline.estimated_bytes is None:
        return "time and size: unknown, as the film does not say how many frames it has"
    taken = f"about {_time(outline.estimated_seconds)} and {_amount(outline.estimated_bytes)}"
    if outline.codec is None and outline.frames == 1:
        return taken
    judged = f", judged by {outline.sample_frames} of them" if outline.sample_frames else ""
    return f"{taken} for {counted(outline.frames, 'frame')}{judged}"


def _time(seconds: float) -> str:
    from edge_sr.cli.terminal.progress import clock

    return clock(seconds) if seconds >= 60 else f"{max(seconds, 0.1):.1f} s"


def _amount(count: int) -> str:
    """Bytes in a unit that leaves a figure to see."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.0f} kB"
