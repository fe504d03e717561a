"""The languages of tracks, in the codes of ISO 639-2 and in those by which FFmpeg finds QuickTime's own numbers."""

from __future__ import annotations

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


def suited_language(code: str, container: str) -> str:
    """The code as the container's muxer knows it: ``container`` by the name that users know."""
    code = _FROM_QUICKTIME.get(code, code)
    return _TO_QUICKTIME.get(code, code) if container == "mov" else code
