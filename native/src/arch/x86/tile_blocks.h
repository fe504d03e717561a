// Products in tiles of four sums each. A row of a tile holds 64 bytes, and K, whatever is summed over, is cut into as many.
#pragma once

#include <type_traits>
#include <utility>

#include "arch/x86/tiles.h"
#include "encoder/rows.h"

namespace {

constexpr int kTileBytes = 1024, kTileSide = 16;
constexpr int kBlockValues = 4 * kTileSide * kTileSide;

// Intrinsics take tiles by literal number only.
#define ESR_TILE_PRODUCT(sum, left, right)        \
    do {                                          \
        if constexpr (kInt8)                      \
            _tile_dpbusd(sum, left, right);       \
        else                                      \
            _tile_dpbf16ps(sum, left, right);     \
    } while (0)
// The same with signed values to the left.
#define ESR_TILE_PRODUCT_LEFT(sum, left, right)   \
    do {                                          \
        if constexpr (kInt8)                      \
            _tile_dpbsud(sum, left, right);       \
        else                                      \
            _tile_dpbf16ps(sum, left, right);     \
    } while (0)

// Two tiles of 16 rows by two of 16 columns.
ESR_INLINE void store_square(float *sums) {
    constexpr int pitch = 2 * kTileRow;
    _tile_stored(0, sums, pitch);
    _tile_stored(1, sums + kTileSide, pitch);
    _tile_stored(2, sums + 2 * kTileSide * kTileSide, pitch);
    _tile_stored(3, sums + 2 * kTileSide * kTileSide + kTileSide, pitch);
}

// What is multiplied for one block: rows of activations, and weights in the order in which they are needed.
struct BlockInput {
    const char *row[kTaps];
    std::ptrdiff_t stride;  // of an activation tile's rows
    const char *weights;
};

// All products of a block. `Form` says which tiles they take and where the sums go; after each, between(step) has a chance to
// use the vector unit.
template <class Form>
struct TileBlock : Form {
    template <class Between>
    static ESR_INLINE void run(const BlockInput &in, float *sums, const Between &between) {
        zero_sums();
        run_steps(in, between, std::make_integer_sequence<int, Form::steps>());
        Form::store(sums);
    }

private:
    template <class Between, int... kStep>
    static ESR_INLINE void run_steps(const BlockInput &in, const Between &between, std::integer_sequence<int, kStep...>) {
        ((Form::template multiply<kStep>(in), between(std::integral_constant<int, kStep>())), ...);
    }
};

// 32 pixels by 32 channels, or 64 by 16. A row of an activation tile is a run of pixels, which holds taps -1, 0, 1 one after
// another; where three taps are not a multiple of 64 bytes, the last product has weights of zero.
template <bool kInt8, int kChunks, bool kWide>
struct PixelForm {
    static constexpr int channels = kWide ? 2 * kTileSide : kTileSide, pixels = kBlockValues / channels;
    static constexpr int steps = kTaps * kChunks;
    static constexpr bool int8 = kInt8;

    static ESR_INLINE void store(float *sums) {
        if constexpr (kWide)
            store_square(sums);
        else
            store_column(sums);
    }
    template <int kStep>
    static ESR_INLINE void multiply(const BlockInput &in) {
        const char *values = in.row[kStep / kChunks] + kStep % kChunks * kTileRow;
        if constexpr (kWide)
            multiply_square(values, in.stride, in.weights + kStep * 2 * kTileBytes);
        else
            multiply_column(values, in.stride, in.weights + kStep * kTileBytes);
    }

private:
    static ESR_INLINE void multiply_square(const char *values, std::ptrdiff_t stride, const char *weights) {
        _tile_loadd(4, values, stride);
        _tile_loadd(6, weights, kTileRow);
        ESR_TILE_PRODUCT(0, 4, 6);
        _tile_loadd(7, weights + kTileBytes, kTileRow);
        ESR_TILE_PRODUCT(1, 4, 7);
        _tile_loadd(5, values + kTileSide * stride, stride);
        ESR_TILE_PRODUCT(2, 5, 6);
        ESR_TILE_PRODUCT(3, 5, 7);
    }
    static ESR_INLINE void multiply_column(const char *values, std::ptrdiff_t stride, const char *weights) {
        const std::ptrdiff_t next = kTileSide * stride;
        _tile_loadd(6, weights, kTileRow);
        _tile_loadd(4, values, stride);
        ESR_TILE_PRODUCT(0, 4, 6);
        _tile_loadd(5, values + next, stride);
        ESR_TILE_PRODUCT(1, 5, 6);
        _tile_loadd(4, values + 2 * next, stride);
        ESR_TILE_PRODUCT(2, 4, 6);
        _tile_loadd(5, values + 3 * next, stride);
        ESR_TILE_PRODUCT(3, 5, 6);
    }
    static ESR_INLINE void store_column(float *sums) {
        constexpr int each = kTileSide * kTileSide;
        _tile_stored(0, sums, kTileRow);
        _tile_stored(1, sums + each, kTileRow);
        _tile_stored(2, sums + 2 * each, kTileRow);
        _tile_stored(3, sums + 3 * each, kTileRow);
    }
};

// 32 maps by 32 pixels, or 16 by 64: weights to the left, so that a map's sums lie beside each other. Activations come as planes
// of words, see tile_planes.h; kPixelBytes: of a pixel's channels.
template <bool kInt8, int kPixelBytes, bool kWide>
struct MapForm {
    static constexpr int channels = kWide ? 2 * kTileSide : kTileSide, pixels = kBlockValues / channels;
    static constexpr int chunks = (kTaps * kPixelBytes + kTileRow - 1) / kTileRow, steps = kTaps * chunks;
    static constexpr bool int8 = kInt8;

    static ESR_INLINE void store(float *sums) {
        if constexpr (kWide)
            store_square(sums);
        else
            store_row(sums);
    }
    template <int kStep>
    static ESR_INLINE void multiply(const BlockInput &in) {
        constexpr int begin = kStep % chunks * kTileRow, tap = begin / kPixelBytes, part = begin % kPixelBytes / kTileRow;
        const char *values = in.row[kStep / chunks] + part * kTileSide * in.stride + tap * 4;
        if constexpr (kWide)
            multiply_square(values, in.stride, in.weights + kStep * 2 * kTileBytes);
        else
            multiply_row(values, in.stride, in.weights + kStep * kTileBytes);
    }

private:
    static ESR_INLINE void multiply_square(const char *values, std::ptrdiff_t stride, const char *weights) {
        _tile_loadd(4, weights, kTileRow);
        _tile_loadd(6, values, stride);
        ESR_TILE_PRODUCT_LEFT(0, 4, 6);
        _tile_loadd(7, values + kTileRow, stride);
        ESR_TILE_PRODUCT_LEFT(1, 4, 7);
        _tile_loadd(5, weights + kTileBytes, kTileRow);
        ESR_TILE_PRODUCT_LEFT(2, 5, 6);
        ESR_TILE_PRODUCT_LEFT(3, 5, 7);
    }
    static ESR_INLINE void multiply_row(const char *values, std::ptrdiff_t stride, const char *weights) {
        _tile_loadd(4, weights, kTileRow);
        _tile_loadd(6, values, stride);
        ESR_TILE_PRODUCT_LEFT(0, 4, 6);
        _tile_loadd(7, values + kTileRow, stride);
        ESR_TILE_PRODUCT_LEFT(1, 4, 7);
        _tile_loadd(6, values + 2 * kTileRow, stride);
        ESR_TILE_PRODUCT_LEFT(2, 4, 6);
        _tile_loadd(7, values + 3 * kTileRow, stride);
        ESR_TILE_PRODUCT_LEFT(3, 4, 7);
    }
    static ESR_INLINE void store_row(float *sums) {
        constexpr int pitch = 4 * kTileRow;
        _tile_stored(0, sums, pitch);
        _tile_stored(1, sums + kTileSide, pitch);
        _tile_stored(2, sums + 2 * kTileSide, pitch);
        _tile_stored(3, sums + 3 * kTileSide, pitch);
    }
};

template <bool kInt8, int kChunks, bool kWide>
using PixelBlock = TileBlock<PixelForm<kInt8, kChunks, kWide>>;
template <bool kInt8, int kPixelBytes, bool kWide>
using MapBlock = TileBlock<MapForm<kInt8, kPixelBytes, kWide>>;

// The products of a step alone.
template <bool kInt8>
ESR_INLINE void multiply_registers() {
    ESR_TILE_PRODUCT(0, 4, 6);
    ESR_TILE_PRODUCT(1, 4, 7);
    ESR_TILE_PRODUCT(2, 5, 6);
    ESR_TILE_PRODUCT(3, 5, 7);
}

#undef ESR_TILE_PRODUCT
#undef ESR_TILE_PRODUCT_LEFT

}  // namespace
