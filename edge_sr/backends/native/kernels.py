"""Which of the library's kernels serve a precision on this processor.

A kernel that rounds more is taken only where it is faster than the next more exact one: INT8 dot products
everywhere, tiles in bfloat16 (AMX) wherever they exist, ``vdpbf16ps`` only where it multiplies faster than float32
does, which a loop of it shows (Intel issues it every other cycle, AMD every cycle).
"""

from __future__ import annotations

import functools

from edge_sr.backends.native.library import encoder_kernels, kernels, peak

TILES, BF16_DOT = "amx", "avx512-bf16"
# Kernels that round products' inputs to bfloat16; all others are exact to float32.
BF16_KERNELS = frozenset({TILES, BF16_DOT})
INT8_KERNELS = ("avx512-vnni", "avx2-vnni", "neon-dot")
# Winograd's transform halves float32's products and its sums then cost again: bfloat16 has to beat that.
WORTH = 1.4
# Columns beyond its own two neighbours that a Winograd convolution's last bits depend on: it works on tiles of four.
WINOGRAD_COLUMNS = 3
PEAK_SECONDS = 0.02


def lowered(precision: str) -> bool:
    """Whether what is not INT8 may be computed in bfloat16."""
    return precision == "bf16" or precision.startswith("int8")


def decoder_kernel(precision: str) -> str:
    """The decoder's kernel for ``precision``, ``auto`` for the fastest exact one."""
    return (_bf16_kernel() if lowered(precision) else None) or "auto"


def encoder_kernel(precision: str) -> str | None:
    """The encoder's kernel for ``precision``; ``None`` where this processor has none for it."""
    if precision.startswith("int8"):
        return _bf16_kernel() or next((name for name in INT8_KERNELS if name in encoder_kernels()), None)
    return decoder_kernel(precision) if precision in ("fp32", "bf16") else None


def spare_columns(kernel: str, convolutions: int) -> int:
    """Columns beyond the receptive field that change the last bits of so many float32 convolutions in a row."""
    winograd = kernel not in BF16_KERNELS and kernel != "portable"
    return WINOGRAD_COLUMNS * convolutions if winograd else 0


def has_bf16() -> bool:
    """Whether the processor knows bfloat16 at all; where it does not pay, float32 serves it."""
    return bool(BF16_KERNELS.intersection(kernels()))


def peak_gflops(precision: str, threads: int) -> dict[str, float]:
    """GFLOPS of a register-only loop for each kernel that serves ``precision``; empty where none does.

    Operations a second in 10^9, a multiply-add counted as two. For ``int8`` the kernel's INT8 products.
    """
    name = encoder_kernel(precision)
    if name is None or not encoder_kernels():
        return {}
    kernel = encoder_kernels()[0] if name == "auto" else name
    return {kernel: peak(kernel, precision.startswith("int8"), threads, 5 * PEAK_SECONDS)}


@functools.cache
def _bf16_kernel() -> str | None:
    if TILES in encoder_kernels():
        return TILES
    if BF16_DOT not in encoder_kernels():
        return None
    exact = encoder_kernels()[0]
    pays = peak(BF16_DOT, False, 1, PEAK_SECONDS) > WORTH * peak(exact, False, 1, PEAK_SECONDS)
    return BF16_DOT if pays else None
