"""HDR pictures for SDR displays: PQ or HLG with BT.2020's primaries to BT.709 at a reference white of 203 nits.

The curve is the EETF of ITU-R BT.2390-11, section 5.4.1, on the brightest component, so that hues stay; HLG is shown
on its nominal display of 1,000 nits first (ITU-R BT.2100-2, table 5).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.colour import BT709, HLG, Colour

Floats = NDArray[np.float32]

# ITU-R BT.2408: diffuse white of HDR, which becomes SDR's white.
REFERENCE_WHITE = 203.0
# What films are graded to that do not say, in nits.
USUAL_PEAK = 1000.0
# SMPTE ST 2084.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_PEAK = 10_000.0
# ARIB STD-B67, and the system gamma of a display of 1,000 nits.
_A, _B, _C, _GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2
_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
# ITU-R BT.2087-0: linear BT.2020 to linear BT.709.
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_BT709_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
# BT.1886, the display that SDR is made for.
_SDR_GAMMA = 2.4


def tone_mapped_colour(colour: Colour) -> Colour:
    """The colours of a film that was tone-mapped: BT.709 throughout, at the range it had."""
    return dataclasses.replace(colour, matrix=BT709, primaries=BT709, transfer=BT709)


class ToneMap:
    """``H x W x 3`` HDR signal, float32 in [0, 1], to SDR's signal, likewise.

    ``peak``: what a PQ film is graded to, in nits; HLG's is that of the display it is shown on.
    """

    def __init__(self, transfer: int, peak: float | None) -> None:
        self._is_hlg = transfer == HLG
        graded = USUAL_PEAK if self._is_hlg else peak or USUAL_PEAK
        self._peak = max(REFERENCE_WHITE, min(graded, _PQ_PEAK))

    def __call__(self, signal: NDArray[Any]) -> Floats:
        nits = hlg_to_nits(signal) if self._is_hlg else pq_to_nits(signal)
        brightest = nits.max(axis=-1, keepdims=True)
        mapped = eetf(brightest, self._peak, REFERENCE_WHITE)
        scale = mapped / np.maximum(brightest, np.float32(1e-6)) / np.float32(REFERENCE_WHITE)
        return sdr_signal(into_gamut((nits * scale) @ _TO_BT709.T))


def pq_to_nits(signal: NDArray[Any]) -> Floats:
    """ST 2084's EOTF."""
    power = np.power(np.clip(signal, 0, 1, dtype=np.float32), np.float32(1 / _M2))
    ratio = np.maximum(power - np.float32(_C1), 0) / (np.float32(_C2) - np.float32(_C3) * power)
    return np.asarray(np.float32(_PQ_PEAK) * np.power(ratio, np.float32(1 / _M1)), np.float32)


def nits_to_pq(nits: NDArray[Any]) -> Floats:
    """The inverse of ``pq_to_nits``."""
    power = np.power(np.clip(nits, 0, _PQ_PEAK, dtype=np.float32) / np.float32(_PQ_PEAK), np.float32(_M1))
    ratio = (np.float32(_C1) + np.float32(_C2) * power) / (1 + np.float32(_C3) * power)
    return np.asarray(np.power(ratio, np.float32(_M2)), np.float32)


def hlg_to_nits(signal: NDArray[Any]) -> Floats:
    """HLG's inverse OETF and the OOTF of its nominal display."""
    value = np.clip(signal, 0, 1, dtype=np.float32)
    upper = (np.exp((value - np.float32(_C)) / np.float32(_A)) + np.float32(_B)) / 12
    scene = np.where(value <= 0.5, value * value / 3, upper)
    luminance = (scene @ _BT2020_LUMA)[..., None]
    gain = np.power(np.maximum(luminance, np.float32(1e-9)), np.float32(_GAMMA - 1))
    return np.asarray(np.float32(USUAL_PEAK) * gain * scene, np.float32)


def eetf(nits: NDArray[Any], source_peak: float, target_peak: float) -> Floats:
    """Brightness on a display of ``target_peak`` for one graded on ``source_peak``; dark parts stay as they are."""
    white = nits_to_pq(np.array([source_peak, target_peak], np.float32))
    most = float(white[1] / white[0])
    if most >= 1:
        return np.asarray(nits, np.float32)
    knee = 1.5 * most - 0.5
    place = np.minimum(nits_to_pq(nits) / white[0], 1)
    t = np.maximum(place - np.float32(knee), 0) / np.float32(1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    )
    return pq_to_nits(np.where(place < knee, place, spline) * white[0])


def into_gamut(linear: NDArray[Any]) -> Floats:
    """Colours outside [0, 1] moved towards grey of their luminance, no further than needed."""
    luma = np.clip(linear @ _BT709_LUMA, 0, 1)[..., None]
    distance = linear - luma
    room = np.where(distance < 0, luma, 1 - luma) / np.maximum(np.abs(distance), np.float32(1e-9))
    inside = luma + distance * np.minimum(room.min(axis=-1, keepdims=True), 1)
    return np.asarray(np.clip(inside, 0, 1), np.float32)


def sdr_signal(linear: NDArray[Any]) -> Floats:
    return np.asarray(np.power(linear, np.float32(1 / _SDR_GAMMA)), np.float32)
