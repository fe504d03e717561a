"""Tags, language and disposition from a track or film to what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_sr.video.film.channels import usual_layout

if TYPE_CHECKING:
    import av.container

# Facts about the old file or the old encoding, untrue of the new one.
STATISTICS = {"bps", "variant_bitrate", "number_of_frames", "number_of_bytes", "duration"}
STALE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", *STATISTICS})
STALE_OF_VIDEO = STALE | {"rotate", "alpha_mode", "stereo_mode"}
# Filled in by every muxer, so of no interest when it is missing.
FILLED_IN = frozenset({"language", "handler_name", "vendor_id"})
# QuickTime numbers its languages, and FFmpeg's table of them (libavformat/isom.c) knows each by one code alone; by
# these for some that have no other code there, or one that is no code of ISO 639-2.
_OF_QUICKTIME = {"swe": "sve", "hrv": "hr ", "srp": "sr ", "fao": "fo ", "pan": "pa ", "gle": "iri"}
_SPELT_OTHERWISE = {
    **{"deu": "ger", "fre": "fra", "nld": "dut", "zho": "chi", "ell": "gre", "isl": "ice", "sqi": "alb"},
    **{"cze": "ces", "slo": "slk", "rum": "ron", "mkd": "mac", "hye": "arm", "kat": "geo", "fas": "per"},
    **{"bod": "tib", "mya": "bur", "msa": "may", "cym": "wel", "eus": "baq", "nob": "nor", "nno": "nor"},
}
_TO_QUICKTIME = {**_SPELT_OTHERWISE, **_OF_QUICKTIME}
_FROM_QUICKTIME = {theirs: code for code, theirs in _OF_QUICKTIME.items()}
UNKNOWN = ("", "und")


def copy_stream(target: av.container.OutputContainer, stream: Any, container: str) -> Any:
    """A stream of the same kind in ``target``, with language, title and disposition."""
    twin: Any = target.add_stream_from_template(stream, opaque=True)
    # MP4 says of PCM where each channel is to be heard.
    if stream.type == "audio" and target.format.name == "mp4" and (usual := usual_layout(stream.layout)):
        twin.codec_context.layout = usual
    carry_over(stream, twin, container)
    return twin


def carry_over(stream: Any, twin: Any, container: str) -> None:
    """Tags and disposition of ``stream`` to ``twin`` in a ``container`` of that name."""
    twin.metadata.update(suited_tags(without(stream.metadata, STALE), container))
    twin.disposition = stream.disposition


def suited_tags(tags: dict[str, str], container: str) -> dict[str, str]:
    """A track's tags by the names and in the words that the container has for them."""
    tags = dict(tags)
    if "language" in tags:
        tags["language"] = suited_language(tags["language"], container)
    if "name" in tags:
        # By which FFmpeg reads a track's title in MP4 and MOV, and writes it in none.
        tags.setdefault("title", tags.pop("name"))
    return tags


def suited_language(code: str, container: str) -> str:
    """The code as the container's muxer knows it: ``container`` by the name that users know."""
    code = _FROM_QUICKTIME.get(code, code)
    return _TO_QUICKTIME.get(code, code) if container == "mov" else code


def without(metadata: dict[str, str], stale: frozenset[str]) -> dict[str, str]:
    """The entries that are not stale, whatever the case of their keys, nor Matroska's statistics.

    FFmpeg puts a tag's language behind its key, as in BPS-eng.
    """
    return {
        key: value
        for key, value in metadata.items()
        if key.lower().partition("-")[0] not in stale and not key.startswith("_STATISTICS")
    }


def lost_metadata(source: dict[str, str], target: dict[str, str], where: str) -> list[str]:
    """A name for each entry of ``source`` that did not arrive in ``target``."""
    arrived = {key.lower() for key in target}
    expected = [key for key in without(source, STALE) if key.lower() not in FILLED_IN]
    return [f"metadata {key!r} of {where}" for key in expected if key.lower() not in arrived]
