"""High dynamic range: what a film says of the display it was graded on, in the words of each encoder.

SMPTE ST 2086 (mastering display) and CTA-861.3 (content light level), as FFmpeg attaches them to frames.
"""

from __future__ import annotations

import dataclasses
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

from edge_sr.video.frames.side_data import side_data

if TYPE_CHECKING:
    import av

# Units in which H.264 and H.265 count chromaticities and luminances.
_CHROMA, _LUMINANCE = 50_000, 10_000


@dataclasses.dataclass(frozen=True)
class HdrDescription:
    """``primaries``: x and y of red, green, blue and white; ``luminance``: least and most, in nits; ``light``: the
    brightest pixel and the brightest frame's mean, in nits. None where the film does not say."""

    primaries: tuple[Fraction, ...] | None = None
    luminance: tuple[Fraction, Fraction] | None = None
    light: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return self.has_display or self.light is not None

    @property
    def has_display(self) -> bool:
        return self.primaries is not None and self.luminance is not None

    @property
    def peak(self) -> int | None:
        """The brightest there is, in nits, as far as the film says."""
        if self.light is not None and self.light[0] > 0:
            return self.light[0]
        return None if self.luminance is None else round(self.luminance[1])


UNDESCRIBED = HdrDescription()


def read_description(frame: av.VideoFrame) -> HdrDescription:
    """What the frame carries of it."""
    found = side_data(frame)
    display, light = found.get("MASTERING_DISPLAY_METADATA"), found.get("CONTENT_LIGHT_LEVEL")
    primaries = luminance = levels = None
    if display is not None:
        # AVMasteringDisplayMetadata: ten ratios of two ints, then which of them are set.
        *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", bytes(display))
        ratios = [
            Fraction(over, under) if under else Fraction(0)
            for over, under in zip(numbers[::2], numbers[1::2], strict=True)
        ]
        primaries = tuple(ratios[:8]) if has_primaries else None
        luminance = (ratios[8], ratios[9]) if has_luminance else None
    if light is not None:
        levels = struct.unpack_from("=2I", bytes(light))
    return HdrDescription(primaries, luminance, levels)


def encoder_words(codec: str, description: HdrDescription) -> tuple[str, str] | None:
    """The encoder's option that carries the description, and its value; None for an encoder that cannot."""
    if codec == "svt-av1":
        words = [f"mastering-display={_display(description, 1, 1)}"] if description.has_display else []
        words += [f"content-light={_levels(description)}"] if description.light else []
        return "svtav1-params", ":".join(words)
    names = {"x264": ("mastering-display", "cll"), "x265": ("master-display", "max-cll")}.get(codec)
    if names is None:
        return None
    words = []
    if description.has_display:
        words.append(f"{names[0]}={_display(description, _CHROMA, _LUMINANCE)}")
    if description.light:
        words.append(f"{names[1]}={_levels(description)}")
    return f"{codec}-params", ":".join(words)


def _display(description: HdrDescription, chroma: int, luminance: int) -> str:
    assert description.primaries is not None
    assert description.luminance is not None

    def text(value: Fraction, unit: int) -> str:
        return f"{float(value):.6g}" if unit == 1 else str(round(value * unit))

    red, green, blue, white = (
        ",".join(text(value, chroma) for value in description.primaries[at : at + 2]) for at in range(0, 8, 2)
    )
    least, most = (text(value, luminance) for value in description.luminance)
    return f"G({green})B({blue})R({red})WP({white})L({most},{least})"


def _levels(description: HdrDescription) -> str:
    return ",".join(map(str, description.light or (0, 0)))
