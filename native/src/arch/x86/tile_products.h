// Products of AMX's tiles, four of sums at a time: 0 to 3 are sums, 4 and 5 stand to the left, 6 and 7 to the right. Pitches
// are in bytes.
#pragma once

#include "arch/x86/tiles.h"

namespace {

constexpr int kTileSide = 16;

// What is multiplied: bfloat16, or bytes that are unsigned to the left and signed to the right, or the other way round.
enum class Product { Bf16, UnsignedLeft, SignedLeft };

// Intrinsics take tiles by literal number only.
#define ESR_TILE_PRODUCT(sum, left, right)                       \
    do {                                                         \
        if constexpr (kProduct == Product::Bf16)                 \
            _tile_dpbf16ps(sum, left, right);                    \
        else if constexpr (kProduct == Product::UnsignedLeft)    \
            _tile_dpbusd(sum, left, right);                      \
        else                                                     \
            _tile_dpbsud(sum, left, right);                      \
    } while (0)

// Two rows of tiles by two columns, sums 0 1 / 2 3.
template <Product kProduct>
ESR_INLINE void multiply_square(const void *top, const void *bottom, std::ptrdiff_t pitch, const void *left, const void *right,
                                std::ptrdiff_t columns) {
    _tile_loadd(4, top, pitch);
    _tile_loadd(6, left, columns);
    ESR_TILE_PRODUCT(0, 4, 6);
    _tile_loadd(7, right, columns);
    ESR_TILE_PRODUCT(1, 4, 7);
    _tile_loadd(5, bottom, pitch);
    ESR_TILE_PRODUCT(2, 5, 6);
    ESR_TILE_PRODUCT(3, 5, 7);
}

// Four rows of tiles by one column.
template <Product kProduct>
ESR_INLINE void multiply_column(const void *const (&rows)[4], std::ptrdiff_t pitch, const void *column, std::ptrdiff_t columns) {
    _tile_loadd(6, column, columns);
    _tile_loadd(4, rows[0], pitch);
    ESR_TILE_PRODUCT(0, 4, 6);
    _tile_loadd(5, rows[1], pitch);
    ESR_TILE_PRODUCT(1, 5, 6);
    _tile_loadd(4, rows[2], pitch);
    ESR_TILE_PRODUCT(2, 4, 6);
    _tile_loadd(5, rows[3], pitch);
    ESR_TILE_PRODUCT(3, 5, 6);
}

// One row of tiles by four columns, the first at `column` and each `next` bytes after the one before.
template <Product kProduct>
ESR_INLINE void multiply_row(const void *row, std::ptrdiff_t pitch, const void *column, std::ptrdiff_t next, std::ptrdiff_t columns) {
    const char *at = static_cast<const char *>(column);
    _tile_loadd(4, row, pitch);
    _tile_loadd(6, at, columns);
    ESR_TILE_PRODUCT(0, 4, 6);
    _tile_loadd(7, at + next, columns);
    ESR_TILE_PRODUCT(1, 4, 7);
    _tile_loadd(6, at + 2 * next, columns);
    ESR_TILE_PRODUCT(2, 4, 6);
    _tile_loadd(7, at + 3 * next, columns);
    ESR_TILE_PRODUCT(3, 4, 7);
}

// What lies in the tiles already, as a square.
template <Product kProduct>
ESR_INLINE void multiply_registers() {
    ESR_TILE_PRODUCT(0, 4, 6);
    ESR_TILE_PRODUCT(1, 4, 7);
    ESR_TILE_PRODUCT(2, 5, 6);
    ESR_TILE_PRODUCT(3, 5, 7);
}

#undef ESR_TILE_PRODUCT

// The sums as they stand: 32 rows of 32, 64 rows of 16, or 16 rows of 64.
ESR_INLINE void store_square(float *sums) {
    constexpr int pitch = 2 * kTileRow, row = kTileSide * 2 * kTileSide;
    _tile_stored(0, sums, pitch);
    _tile_stored(1, sums + kTileSide, pitch);
    _tile_stored(2, sums + row, pitch);
    _tile_stored(3, sums + row + kTileSide, pitch);
}
ESR_INLINE void store_column(float *sums) {
    constexpr int each = kTileSide * kTileSide;
    _tile_stored(0, sums, kTileRow);
    _tile_stored(1, sums + each, kTileRow);
    _tile_stored(2, sums + 2 * each, kTileRow);
    _tile_stored(3, sums + 3 * each, kTileRow);
}
ESR_INLINE void store_row(float *sums) {
    constexpr int pitch = 4 * kTileRow;
    _tile_stored(0, sums, pitch);
    _tile_stored(1, sums + kTileSide, pitch);
    _tile_stored(2, sums + 2 * kTileSide, pitch);
    _tile_stored(3, sums + 3 * kTileSide, pitch);
}

}  // namespace
