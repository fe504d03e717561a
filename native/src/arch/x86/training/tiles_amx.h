// Products of bfloat16 in tiles of AMX, sums in float32: what tiles_avx512_bf16.h computes too.
#pragma once

#include "arch/x86/tile_products.h"
#include "arch/x86/training/product_inputs.h"

namespace {

void begin_products() { begin_tiles(); }
void end_products() { end_tiles(); }

// 32 pixels by 32 outputs, those of tiles `tile` and the next, rows of 32 sums. between(chunk) while products run.
template <class Between>
ESR_INLINE void convolve_square(const Taps &taps, int tile, const Bf16 *at, int channels, float *out, const Between &between) {
    const Bf16 *weights = taps.weights + tile * kTileValues;
    zero_sums();
    for (int chunk = 0; chunk < taps.chunks; ++chunk, weights += taps.tiles * kTileValues) {
        const Bf16 *values = at + taps.offsets[chunk];
        multiply_square<Product::Bf16>(values, values + kSide * channels, 2 * channels, weights, weights + kTileValues, kRowBytes);
        between(chunk);
    }
    store_square(out);
}

// 64 pixels by 16 outputs, rows of 16 sums.
template <class Between>
ESR_INLINE void convolve_column(const Taps &taps, const Bf16 *at, int channels, float *out, const Between &between) {
    zero_sums();
    for (int chunk = 0; chunk < taps.chunks; ++chunk) {
        const Bf16 *values = at + taps.offsets[chunk];
        const void *const rows[4] = {values, values + kSide * channels, values + 2 * kSide * channels, values + 3 * kSide * channels};
        multiply_column<Product::Bf16>(rows, 2 * channels, taps.weights + chunk * kTileValues, kRowBytes);
        between(chunk);
    }
    store_column(out);
}

// 16 rows of 32 values by 64 columns, rows of 64 sums.
ESR_INLINE void multiply_row(const Bf16 *row, const Bf16 *columns, float *out) {
    zero_sums();
    multiply_row<Product::Bf16>(row, kRowBytes, columns, kTileValues * sizeof(Bf16), kRowBytes);
    store_row(out);
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
        const void *const at[4] = {p.planes[0] + i, p.planes[1] + i, p.planes[2] + i, p.planes[3] + i};
        if (p.square)
            multiply_square<Product::Bf16>(at[0], at[2], 2 * p.stride, right, right + 2 * kSide, 4 * p.outputs);
        else
            multiply_column<Product::Bf16>(at, 2 * p.stride, right, 4 * p.outputs);
    }
    _tile_stored(0, p.sums[0], kRowBytes);
    if (p.sums[1]) _tile_stored(1, p.sums[1], kRowBytes);
    if (p.sums[2]) _tile_stored(2, p.sums[2], kRowBytes);
    if (p.sums[3]) _tile_stored(3, p.sums[3], kRowBytes);
}

}  // namespace
