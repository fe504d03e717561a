"""A film muxed into a file: attempt by attempt, until what does not fit is left out, and compared with the plan."""

from __future__ import annotations

import dataclasses
import functools
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import OUT_OF_DISK, EdgeSRError
from edge_sr.files.atomic import writing
from edge_sr.files.durable import to_disk
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.splicing import Pieces
from edge_sr.video.film.info import Excerpt
from edge_sr.video.film.tracks import TrackPlan, Way, encoding_for, fewer_and_fewer
from edge_sr.video.mux.arrival import lost_parts, pictures_in
from edge_sr.video.mux.matroska_aspect import PIXEL_ASPECT, says_aspect, write_aspect
from edge_sr.video.mux.mux import Muxed, MuxPlan, MuxRun
from edge_sr.video.mux.output import open_output
from edge_sr.video.opening import ffmpeg_name, open_input, open_made


def pictures_alone(segments: list[Segment], plan: MuxPlan) -> MuxPlan:
    """The plan without anything of the source, for one that can no longer be read: the first segment stands for it."""
    first = str(segments[0].path)
    return dataclasses.replace(plan, source=first, picture=0, tracks=TrackPlan((), ()), excerpt=Excerpt())


def mux(segments: list[Segment], plan: MuxPlan, target: Path, *, until: Fraction | None = None) -> Muxed:
    """Writes ``target``; whatever is wrong with the other tracks, the picture gets there.

    ``until`` cuts the other tracks, in seconds, for a film that is not finished. ``target`` is written in place: the
    caller renames it. Raises ``DiskFullError`` or ``ResourceError`` when not even the picture can be written.
    """
    import av

    pieces = Pieces.of(segments)
    for tracks in fewer_and_fewer(plan.tracks):
        muxed = Muxed(plan.tracks.left_out(tracks))
        try:
            fewer = dataclasses.replace(plan, tracks=tracks)
            run = MuxRun(pieces, fewer, functools.partial(_open_file, target, fewer), until, muxed)
            run.run()
            # A muxer may write a track that makes the film unreadable.
            open_made(target).close()
            if run.damaged and pictures_in([target]) < pictures_in([segment.path for segment in segments]):
                raise av.error.InvalidDataError(0, "frames that the muxer refused", str(target))
            break
        except (av.error.FFmpegError, ValueError, TypeError, RuntimeError) as error:
            # PyAV raises the plain ones for what it does not support.
            if isinstance(error, EdgeSRError) or is_out_of_disk(error) or not tracks.ways:
                with writing(str(target)):
                    raise
    with writing(str(target)):
        muxed.lost += _lost_aspect(plan, target)
        to_disk(target)
    with open_input(plan.source, protocols=plan.protocols) as source, open_input(str(target)) as result:
        muxed.lost += lost_parts(source, {plan.picture, *tracks.kept} - run.idle, result)
    muxed.warnings += _encoded_after_all(plan, tracks)
    return muxed


def _lost_aspect(plan: MuxPlan, target: Path) -> list[str]:
    """A name for the pixel aspect, where neither codec nor container say it and there is no room for it."""
    if says_aspect(ffmpeg_name(str(target)), plan.recipe.aspect):
        return []
    is_matroska = plan.container.name in ("mkv", "webm")
    return [] if is_matroska and write_aspect(target, plan.recipe.aspect) else [PIXEL_ASPECT]


def _encoded_after_all(plan: MuxPlan, tracks: TrackPlan) -> list[str]:
    encoded = [
        index for index, way in tracks.ways if way is Way.ENCODE and (index, way) not in plan.tracks.ways
    ]
    return [
        f"{plan.container.name.upper()} could not hold it as it is, so encoded again: "
        f"{plan.tracks.names[index]} as {encoding_for(plan.container, 'audio')}"
        for index in encoded
    ]


def _open_file(target: Path, plan: MuxPlan, options: dict[str, str]) -> Any:
    return open_output(target, plan.container, options, tee=plan.tracks.through_tee)


def is_out_of_disk(error: Exception) -> bool:
    return getattr(error, "errno", None) in OUT_OF_DISK
