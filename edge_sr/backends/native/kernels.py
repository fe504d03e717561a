"""Which of the library's kernels serve a precision on this processor.

A kernel that rounds more is taken only where it is faster than the next more exact one: INT8 dot products
everywhere, tiles in bfloat16 (AMX) wherever they exist, ``vdpbf16ps`` only where it multiplies faster than float32
does (Intel issues it every other cycle, AMD every cycle). What is taken follows from the processor alone: a film that
is resumed, or shared out over processes, has the same bits throughout.
"""

from __future__ import annotations

from edge_sr.backends.native.library import encoder_kernels, fast_bf16_dots, kernels, peak

TILES, BF16_DOT = "amx", "avx512-bf16"
# Kernels that round products' inputs to bfloat16; all others are exact to float32.
BF16_KERNELS = frozenset({TILES, BF16_DOT})
INT8_KERNELS = ("avx512-vnni", "avx2-vnni", "neon-dot")
# Columns beyond its own two neighbours that a Winograd convolution's last bits depend on: it works on tiles of four.
WINOGRAD_COLUMNS = 3
# Columns that an encoder's row takes of memory at least: kernels compute blocks of up to 64 pixels and read beyond.
LEAST_COLUMNS = 80
PEAK_SECONDS = 0.1


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
    return {kernel: peak(kernel, precision.startswith("int8"), threads, PEAK_SECONDS)}


def _bf16_kernel() -> str | None:
    if TILES in encoder_kernels():
        return TILES
    return BF16_DOT if BF16_DOT in encoder_kernels() and fast_bf16_dots() else None
