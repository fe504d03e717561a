// Products of bfloat16 in tiles, sums in float32.
#pragma once

#include "arch/x86/tiles.h"
#include "arch/x86/vector_avx512.h"
#include "common/bf16.h"
#include "common/inline.h"

namespace {

using esr::Bf16;
using Real = Vector::F;

// A tile: 16 rows of 32 values to the left, 16 pairs of rows of 16 columns to the right, 16 x 16 sums.
constexpr int kSide = 16, kDepth = 32, kTileValues = 512, kTileSums = 256;

ESR_INLINE void load_sums(const float *a, const float *b, const float *c, const float *d) {
    _tile_loadd(0, a, kTileRow);
    _tile_loadd(1, b, kTileRow);
    _tile_loadd(2, c, kTileRow);
    _tile_loadd(3, d, kTileRow);
}

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

// One row of tiles by four columns that lie one after another.
ESR_INLINE void multiply_row(const Bf16 *row, std::ptrdiff_t pitch, const Bf16 *columns) {
    _tile_loadd(4, row, pitch);
    _tile_loadd(6, columns, kTileRow);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, columns + kTileValues, kTileRow);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(6, columns + 2 * kTileValues, kTileRow);
    _tile_dpbf16ps(2, 4, 6);
    _tile_loadd(7, columns + 3 * kTileValues, kTileRow);
    _tile_dpbf16ps(3, 4, 7);
}

}  // namespace
