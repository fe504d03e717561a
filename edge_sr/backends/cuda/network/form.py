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
class Int8Form:
    """What an encoder with int8 layers has besides its ``EncoderForm``."""

    channels: int

    @property
    def name(self) -> str:
        return f"encoder{self.channels}_int8"

    @property
    def source(self) -> str:
        return "encoder_int8.cu"

    @property
    def defines(self) -> dict[str, str]:
        return {"ESR_CHANNELS": str(self.channels)}


@dataclass(frozen=True)
class DecoderForm:
    """A decoder of mode 1, 2 or 3 without ``init_q``; ``widths`` are the network's own, up to 64 each.

    ``joined``: it reads maps of the widths themselves, together padded to 8, as a TensorRT engine writes them.
    """

    widths: tuple[int, ...]
    mode: int
    base: bool
    joined: bool = False

    @property
    def name(self) -> str:
        base, joined = "_base" if self.base else "", f"_of_{'_'.join(map(str, self.widths))}" * self._gaps
        return f"decoder_{'_'.join(map(str, self.layers))}_mode{self.mode}{base}{joined}"

    @property
    def layers(self) -> tuple[int, ...]:
        """The widths as the kernels have them."""
        return tuple(map(padded, self.widths))

    @property
    def channels(self) -> int:
        """Channels of the maps in memory."""
        return -(-sum(self.widths) // 8) * 8 if self._gaps else sum(self.layers)

    @property
    def _gaps(self) -> bool:
        """Whether joined maps are others than padded ones."""
        return self.joined and self.widths != self.layers

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
            **({"ESR_MAPS": ",".join(map(str, self.widths))} if self._gaps else {}),
        }


@dataclass(frozen=True)
class SurfaceForm:
    """The kernels that read and write a video decoder's surfaces."""

    name: str = "surfaces"
    source: str = "surfaces.cu"

    @property
    def defines(self) -> dict[str, str]:
        return {}


Form = EncoderForm | Int8Form | DecoderForm | SurfaceForm


def joins(widths: tuple[int, ...]) -> bool:
    """Whether a decoder can read maps of these widths side by side: 8 bytes aligned, the last within its pixel."""
    before = [sum(widths[:layer]) for layer in range(len(widths))]
    within = before[-1] + padded(widths[-1]) <= -(-sum(widths) // 8) * 8
    return widths == tuple(map(padded, widths)) or (within and all(start % 4 == 0 for start in before))
