"""Finished segments and the source's other tracks to one film, the picture not encoded again: one attempt."""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from edge_sr.errors import EdgeSRError
from edge_sr.video.encode.containers import Container, muxer_options
from edge_sr.video.encode.segment_encoder import EncodeSettings
from edge_sr.video.encode.splicing import Pieces, spliced_packets
from edge_sr.video.film.info import Excerpt
from edge_sr.video.film.packets import FilmPackets
from edge_sr.video.film.tags import STALE, STALE_OF_VIDEO, carry_over, copy_stream, suited_tags, without
from edge_sr.video.film.tracks import TrackPlan, Way, cover_name, encoding_for
from edge_sr.video.frames.alpha import ALPHA_MODE
from edge_sr.video.frames.colour import tag_colours
from edge_sr.video.frames.hdr import UNDESCRIBED, HdrDescription
from edge_sr.video.frames.stereo import STEREO_MODE
from edge_sr.video.mux.adts import HeaderRemover, is_undescribed_aac
from edge_sr.video.mux.copied_sound import GapFiller, SoundCopier, closes_gaps
from edge_sr.video.mux.copying import (
    PacketConverter,
    Window,
    decoding_time,
    moved_chapters,
    on_stream,
    other_packets,
    rising,
    window_of,
)
from edge_sr.video.mux.described import described_template
from edge_sr.video.mux.sound import SoundConverter, add_sound
from edge_sr.video.mux.time_code import moved_time_code
from edge_sr.video.mux.words import WordsConverter
from edge_sr.video.opening import is_cover, open_input, open_made

# FFmpeg's MOV muxer ends a subtitle too early, and then puts off the next, once another track's time is the larger
# number, whatever their units: this one is as fine as theirs. Were it finer, a gap of hours would be too long for it.
WORDS_UNIT = Fraction(1, 120_000)


@dataclasses.dataclass(frozen=True)
class MuxPlan:
    """All that the muxed film takes from the source, and the ``recipe`` of its segments."""

    source: str
    picture: int
    container: Container
    tracks: TrackPlan
    excerpt: Excerpt
    recipe: EncodeSettings
    hdr: HdrDescription = UNDESCRIBED
    stereo: str | None = None
    protocols: frozenset[str] = frozenset()


@dataclasses.dataclass
class Muxed:
    """What did not get into the muxed film: a name for each part lost, a sentence for each damage."""

    lost: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


class MuxRun:
    """One attempt to write the film, with all that it needs at hand.

    ``open_target`` opens the output with the muxer's options; ``damaged`` counts the packets that it refused;
    ``idle`` are the tracks, by index, that had no packet to give.
    """

    def __init__(
        self,
        pieces: Pieces,
        plan: MuxPlan,
        open_target: Callable[[dict[str, str]], Any],
        until: Fraction | None,
        muxed: Muxed,
    ) -> None:
        self._pieces, self._plan, self._open_target, self._until = pieces, plan, open_target, until
        self._joined = muxed
        self._twins: dict[int, Any] = {}
        self._converters: dict[int, PacketConverter] = {}
        self.damaged = 0
        self.idle: set[int] = set()

    def run(self) -> None:
        plan = self._plan
        with (
            open_input(plan.source, protocols=plan.protocols) as source,
            open_made(self._pieces.first.path) as first,
        ):
            packets = FilmPackets(source)
            unit, first_pts = plan.recipe.time_base, self._pieces.first.first_pts
            window = window_of(packets, plan.excerpt, self._until, unit, first_pts)
            metadata = self._tags(source, STALE)
            has_cover = any(is_cover(source.streams[index]) for index in plan.tracks.kept)
            late = self._late(source, packets, window)
            options = muxer_options(plan.container, late, metadata, has_cover=has_cover)
            with self._open_target(options) as output:
                video = self._add_streams(output, source, first.streams.video[0])
                output.metadata.update(metadata)
                output.set_chapters(moved_chapters(source.chapters(), packets, window))
                self._write(output, packets, video, window)
            self._tell_of_damage()

    def _late(self, source: Any, packets: FilmPackets, window: Window) -> list[Fraction]:
        """The time bases of the tracks that do not begin at 0."""
        copied = [source.streams[index] for index in self._plan.tracks.kept]
        units = [
            Fraction(stream.time_base or 1)
            for stream in copied
            if stream.start_time and stream.start_time * stream.time_base != packets.origin + window.early
        ]
        return [*units, self._plan.recipe.time_base] if self._pieces.first.first_pts > 0 else units

    def _add_streams(self, output: Any, source: Any, template: Any) -> Any:
        """The output's streams, in the source's order; the picture's is returned."""
        plan, video = self._plan, None
        ways = dict(plan.tracks.ways)
        for stream in source.streams:
            if stream.index == plan.picture:
                video = self._add_picture(output, template, stream)
            elif stream.index in ways:
                self._add_other(output, stream, ways[stream.index])
        return video

    def _add_picture(self, output: Any, template: Any, stream: Any) -> Any:
        with contextlib.ExitStack() as stack:
            video = output.add_stream_from_template(self._described(template, stack), opaque=True)
        if template.codec_context.name == "prores":
            # The muxer would take it for the plainest kind of ProRes.
            video.codec_context.codec_tag = template.codec_context.codec_tag
        video.time_base = self._plan.recipe.time_base
        video.codec_context.sample_aspect_ratio = self._plan.recipe.aspect
        video.codec_context.framerate = self._plan.recipe.encoding.rate
        # Not every codec carries its colours itself.
        tag_colours(video.codec_context, self._plan.recipe.colour)
        video.metadata.update(suited_tags(self._tags(stream, STALE_OF_VIDEO), self._plan.container.name))
        if self._plan.recipe.encoding.layout.has_alpha:
            video.metadata[ALPHA_MODE] = "1"
        if self._plan.stereo is not None:
            video.metadata[STEREO_MODE] = self._plan.stereo
        video.disposition = stream.disposition
        return video

    def _tags(self, part: Any, stale: frozenset[str]) -> dict[str, str]:
        return moved_time_code(
            without(part.metadata, stale), self._plan.excerpt, self._plan.recipe.encoding.rate
        )

    def _described(self, template: Any, stack: contextlib.ExitStack) -> Any:
        """The template with what the film says of HDR, for the container's own fields."""
        import av

        if not self._plan.hdr:
            return template
        try:
            packet = next(template.container.demux(template))
            return stack.enter_context(described_template(template, packet, self._plan.hdr))
        except (av.error.FFmpegError, ValueError, LookupError):
            self._joined.lost.append("the mastering display and light levels in the container's own fields")
            return template

    def _add_other(self, output: Any, stream: Any, way: Way) -> None:
        if way is Way.ATTACH:
            data = cover_data(self._plan, stream.index)
            if data:
                output.add_attachment(*cover_name(stream), data)
            return
        if way is not Way.ENCODE:
            self._add_copied(output, stream)
            return
        codec = encoding_for(self._plan.container, stream.type)
        if stream.type == "audio":
            twin = add_sound(output, stream, codec)
            self._converters[stream.index] = SoundConverter(stream, twin)
        else:
            twin = output.add_mux_stream(codec)
            twin.time_base = WORDS_UNIT if codec == "mov_text" else stream.time_base
            self._converters[stream.index] = WordsConverter(stream.codec_context.name, codec)
        carry_over(stream, twin, self._plan.container.name)
        self._twins[stream.index] = twin

    def _add_copied(self, output: Any, stream: Any) -> None:
        twin = self._twins[stream.index] = copy_stream(output, stream, self._plan.container.name)
        if is_undescribed_aac(stream):
            remover = HeaderRemover(self._plan.source, stream.index, self._plan.protocols)
            if remover.config:
                twin.codec_context.extradata = remover.config
                self._converters[stream.index] = remover
        elif self._plan.container.name in ("mp4", "mov") and stream.type == "audio" and closes_gaps(stream):
            self._converters[stream.index] = GapFiller(stream)
        elif stream.type == "audio":
            self._converters[stream.index] = SoundCopier()

    def _write(self, output: Any, packets: FilmPackets, video: Any, window: Window) -> None:
        """Picture and other tracks merged by time, so that the muxer never holds much back."""
        import av

        is_mp4 = self._plan.container.name in ("mp4", "mov")
        unit = self._plan.recipe.time_base
        pictures = spliced_packets(self._pieces, unit, adds_up=is_mp4)
        pictures = on_stream(pictures, video, round(-window.early / unit))
        others = other_packets(packets, self._twins, self._converters, window)
        output.start_encoding()
        others = rising(others) if is_mp4 else others
        self.idle = {index for index, twin in self._twins.items() if twin.type != "attachment"}
        numbers = {twin.index: index for index, twin in self._twins.items()}
        for packet in heapq.merge(pictures, others, key=decoding_time):
            self.idle.discard(numbers.get(packet.stream_index, -1))
            try:
                output.mux(packet)
            except av.error.FFmpegError as error:
                # The muxer may speak of a packet that it had held back, so whose it is nobody knows.
                if not self._twins or not isinstance(error, ValueError):
                    raise
                self.damaged += 1

    def _tell_of_damage(self) -> None:
        lost = self.damaged + sum(getattr(converter, "lost", 0) for converter in self._converters.values())
        if lost:
            self._joined.warnings.append(f"{lost} damaged packets of the film's other tracks are left out")
        for index, converter in self._converters.items():
            if not getattr(converter, "decodes", True):
                self._joined.lost.append(f"{self._plan.tracks.names[index]}, of which nothing decodes")


def cover_data(plan: MuxPlan, index: int) -> bytes:
    """The bytes of a cover; empty where it cannot be read."""
    with contextlib.suppress(EdgeSRError), open_input(plan.source, protocols=plan.protocols) as container:
        for packet in container.demux(container.streams[index]):
            if packet.size:
                return bytes(packet)
    return b""
