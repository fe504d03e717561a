// Products of bfloat16 in tiles of AMX, sums in float32: what tiles_avx512_bf16.h computes too.
#pragma once

#include "arch/x86/tiles.h"
#include "arch/x86/training/product_inputs.h"

namespace {

void begin_products() { begin_tiles(); }
void end_products() { end_tiles(); }

// Two rows of tiles by two columns, sums 0 1 / 2 3; pitches in bytes.
ESR_INLINE void multiply_square(const Bf16 *top, const Bf16 *bottom, std::ptrdiff_t pitch, const Bf16 *left, const Bf16 *right,
                                std::ptrdiff_t columns) {
    _tile_loadd(4, top, pitch);
    _tile_loadd(6, left, columns);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, right, columns);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, bottom, pitch);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

// Four rows of tiles by one column.
ESR_INLINE void multiply_column(const Bf16 *const (&rows)[4], std::ptrdiff_t pitch, const Bf16 *column, std::ptrdiff_t columns) {
    _tile_loadd(6, column, columns);
    _tile_loadd(4, rows[0], pitch);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, rows[1], pitch);
    _tile_dpbf16ps(1, 5, 6);
    _tile_loadd(4, rows[2], pitch);
    _tile_dpbf16ps(2, 4, 6);
    _tile_loadd(5, rows[3], pitch);
    _tile_dpbf16ps(3, 5, 6);
}

// 32 pixels by 32 outputs, those of tiles `tile` and the next, rows of 32 sums. between(chunk) while products run.
template <class Between>
ESR_INLINE void convolve_square(const Taps &taps, int tile, const Bf16 *at, int channels, float *out, const Between &between) {
    constexpr int row = 2 * kSide;
    constexpr std::ptrdiff_t pitch = 2 * kRowBytes;
    const Bf16 *weights = taps.weights + tile * kTileValues;
    zero_sums();
    for (int chunk = 0; chunk < taps.chunks; ++chunk, weights += taps.tiles * kTileValues) {
        const Bf16 *values = at + taps.offsets[chunk];
        multiply_square(values, values + kSide * channels, 2 * channels, weights, weights + kTileValues, kRowBytes);
        between(chunk);
    }
    _tile_stored(0, out, pitch);
    _tile_stored(1, out + kSide, pitch);
    _tile_stored(2, out + kSide * row, pitch);
    _tile_stored(3, out + kSide * row + kSide, pitch);
}

// 64 pixels by 16 outputs, rows of 16 sums.
template <class Between>
ESR_INLINE void convolve_column(const Taps &taps, const Bf16 *at, int channels, float *out, const Between &between) {
    zero_sums();
    for (int chunk = 0; chunk < taps.chunks; ++chunk) {
        const Bf16 *values = at + taps.offsets[chunk];
        const Bf16 *const rows[4] = {values, values + kSide * channels, values + 2 * kSide * channels, values + 3 * kSide * channels};
        multiply_column(rows, 2 * channels, taps.weights + chunk * kTileValues, kRowBytes);
        between(chunk);
    }
    _tile_stored(0, out, kRowBytes);
    _tile_stored(1, out + kTileSums, kRowBytes);
    _tile_stored(2, out + 2 * kTileSums, kRowBytes);
    _tile_stored(3, out + 3 * kTileSums, kRowBytes);
}

// 16 rows of 32 values by 64 columns, rows of 64 sums.
ESR_INLINE void multiply_row(const Bf16 *row, const Bf16 *columns, float *out) {
    constexpr std::ptrdiff_t pitch = 4 * kRowBytes;
    zero_sums();
    _tile_loadd(4, row, kRowBytes);
    _tile_loadd(6, columns, kRowBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, columns + kTileValues, kRowBytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(6, columns + 2 * kTileValues, kRowBytes);
    _tile_dpbf16ps(2, 4, 6);
    _tile_loadd(7, columns + 3 * kTileValues, kRowBytes);
    _tile_dpbf16ps(3, 4, 7);
    _tile_stored(0, out, pitch);
    _tile_stored(1, out + kSide, pitch);
    _tile_stored(2, out + 2 * kSide, pitch);
    _tile_stored(3, out + 3 * kSide, pitch);
}

// 16 rows of 32 values by 16 columns.
ESR_INLINE void multiply_tile(const Bf16 *row, const Bf16 *column, float *out) {
    _tile_zero(0);
    _tile_loadd(4, row, kRowBytes);
    _tile_loadd(6, column, kRowBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_stored(0, out, kRowBytes);
}

// Adds products over `count` pixels, a multiple of 32: 16 planes each of two units by two columns, or of four units by one.
// What is to be left out has no place among the sums (null).
ESR_INLINE void add_products(const PixelProducts &p, int count) {
    const float *const first = p.sums[0];
    _tile_loadd(0, first, kRowBytes);
    _tile_loadd(1, p.sums[1] ? p.sums[1] : first, kRowBytes);
    _tile_loadd(2, p.sums[2] ? p.sums[2] : first, kRowBytes);
    _tile_loadd(3, p.sums[3] ? p.sums[3] : first, kRowBytes);
    for (int i = 0; i < count; i += kDepth) {
        const Bf16 *right = p.pairs + std::ptrdiff_t(i) * p.outputs;
        const Bf16 *const at[4] = {p.planes[0] + i, p.planes[1] + i, p.planes[2] + i, p.planes[3] + i};
        if (p.square)
            multiply_square(at[0], at[2], 2 * p.stride, right, right + 2 * kSide, 4 * p.outputs);
        else
            multiply_column(at, 2 * p.stride, right, 4 * p.outputs);
    }
    _tile_stored(0, p.sums[0], kRowBytes);
    if (p.sums[1]) _tile_stored(1, p.sums[1], kRowBytes);
    if (p.sums[2]) _tile_stored(2, p.sums[2], kRowBytes);
    if (p.sums[3]) _tile_stored(3, p.sums[3], kRowBytes);
}

}  // namespace
