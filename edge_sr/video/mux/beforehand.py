"""What the container has no place for, known before the first frame: tags, languages and marks are written into a film
of one packet a track, and read back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.files.drafts import scratch_folder
from edge_sr.video.encode.containers import muxer_options
from edge_sr.video.encode.encoding import add_packet_stream
from edge_sr.video.film.tags import STALE, STALE_OF_VIDEO, carry_over, copy_stream, suited_tags, without
from edge_sr.video.film.tracks import TrackPlan, Way, encoding_for
from edge_sr.video.film.trials import mux_one
from edge_sr.video.mux.adts import is_undescribed_aac
from edge_sr.video.mux.arrival import lost_words
from edge_sr.video.mux.mux import MuxPlan
from edge_sr.video.mux.output import open_output
from edge_sr.video.mux.sound import add_sound
from edge_sr.video.opening import is_cover, open_made

# Of a track whose own first packet was not looked for: as text it is one letter.
ANY = b"\0\x01a"


def lost_beforehand(source: Any, plan: MuxPlan) -> list[str]:
    """A name for each thing said of ``source`` or a track that the container will not hold, as far as can be told."""
    import av

    try:
        with scratch_folder() as folder:
            trial = folder / "trial"
            twins = _write(trial, source, plan)
            with open_made(trial) as result:
                return lost_words(source, twins, result)
    except (av.error.FFmpegError, ValueError, TypeError, OSError):
        # What the muxer refuses shows when the film is muxed.
        return []


def _write(trial: Path, source: Any, plan: MuxPlan) -> list[int]:
    """Writes the film of one packet a track; gives the tracks that are in it, covers and attachments left aside."""
    metadata, ways = without(source.metadata, STALE), dict(plan.tracks.ways)
    has_cover = any(is_cover(source.streams[index]) for index in ways)
    options = muxer_options(plan.container, [], metadata, has_cover=has_cover)
    twins: dict[int, Any] = {}
    with open_output(trial, plan.container, options, tee=plan.tracks.through_tee) as target:
        for stream in source.streams:
            if stream.index == plan.picture:
                twins[stream.index] = _add_picture(target, stream, plan)
            elif stream.type in ("audio", "subtitle", "data") and stream.index in ways:
                twins[stream.index] = _add_track(target, stream, plan, ways[stream.index])
        target.metadata.update(metadata)
        target.start_encoding()
        packets = _describing(source, plan.tracks)
        for index, twin in twins.items():
            mux_one(target, twin, packets.get(index, ANY))
    return list(twins)


def _describing(source: Any, tracks: TrackPlan) -> dict[int, bytes]:
    """Packets of sound that the muxer may look at for what it writes; of AAC it would refuse the header."""
    ways, sound = dict(tracks.ways), {stream.index: stream for stream in source.streams.audio}
    return {
        index: packet
        for index, packet in tracks.first.items()
        if index in sound and ways.get(index) in (Way.COPY, Way.TEE) and not is_undescribed_aac(sound[index])
    }


def _add_picture(target: Any, stream: Any, plan: MuxPlan) -> Any:
    twin = add_packet_stream(target, plan.recipe.encoding)
    twin.time_base = Fraction(1, 1000)
    twin.metadata.update(suited_tags(without(stream.metadata, STALE_OF_VIDEO), plan.container.name))
    twin.disposition = stream.disposition
    return twin


def _add_track(target: Any, stream: Any, plan: MuxPlan, way: Way) -> Any:
    if way is not Way.ENCODE:
        return copy_stream(target, stream, plan.container.name)
    codec = encoding_for(plan.container, stream.type)
    twin = add_sound(target, stream, codec) if stream.type == "audio" else target.add_mux_stream(codec)
    carry_over(stream, twin, plan.container.name)
    return twin
