"""The forms that kernels are compiled for: an encoder's width, a decoder's layers.

A form is all that a kernel's source has to know of a network, so networks of one form share its kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

# Products take units by so many.
STEP = 16
LARGEST_WIDTH = 64
CHANNELS = (16, 32)


def padded(width: int) -> int:
    """``width`` rounded up to what the products take; the units beyond it are zero."""
    return -(-width // STEP) * STEP


@dataclass(frozen=True)
class EncoderForm:
    """A small residual encoder of ``channels`` channels, 16 or 32, and any depth."""

    channels: int

    @property
    def name(self) -> str:
        return f"encoder{self.channels}"

    @property
    def source(self) -> str:
        return "encoder.cu"

    @property
    def defines(self) -> dict[str, str]:
        return {"ESR_CHANNELS": str(self.channels)}


@dataclass(frozen=True)
class DecoderForm:
    """A decoder of mode 1, 2 or 3 without ``init_q``; ``widths`` are the network's own, up to 64 each."""

    widths: tuple[int, ...]
    mode: int
    base: bool

    @property
    def name(self) -> str:
        base = "_base" if self.base else ""
        return f"decoder_{'_'.join(map(str, self.layers))}_mode{self.mode}{base}"

    @property
    def layers(self) -> tuple[int, ...]:
        """The widths as the kernels have them."""
        return tuple(map(padded, self.widths))

    @property
    def channels(self) -> int:
        """Channels of the maps in memory."""
        return sum(self.layers)

    @property
    def shares(self) -> bool:
        """Whether a layer's modulation has terms in the synthesis before it."""
        return self.mode == 3

    @property
    def source(self) -> str:
        return "decoder.cu"

    @property
    def defines(self) -> dict[str, str]:
        return {
            "ESR_DECODER": self.name,
            "ESR_WIDTHS": ",".join(map(str, self.layers)),
            "ESR_MODE": str(self.mode),
            "ESR_BASE": str(int(self.base)),
        }


Form = EncoderForm | DecoderForm
