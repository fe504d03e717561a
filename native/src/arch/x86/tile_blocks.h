// Products in tiles of four sums each. A row of a tile holds 64 bytes, and K, whatever is summed over, is cut into as many.
#pragma once

#include <type_traits>
#include <utility>

#include "arch/x86/tile_products.h"
#include "encoder/rows.h"

namespace {

constexpr int kTileBytes = 1024, kBlockValues = 4 * kTileSide * kTileSide;

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
        constexpr Product product = kInt8 ? Product::UnsignedLeft : Product::Bf16;
        const char *values = in.row[kStep / kChunks] + kStep % kChunks * kTileRow;
        const std::ptrdiff_t next = kTileSide * in.stride;
        if constexpr (kWide) {
            const char *weights = in.weights + kStep * 2 * kTileBytes;
            multiply_square<product>(values, values + next, in.stride, weights, weights + kTileBytes, kTileRow);
        } else {
            const void *const rows[4] = {values, values + next, values + 2 * next, values + 3 * next};
            multiply_column<product>(rows, in.stride, in.weights + kStep * kTileBytes, kTileRow);
        }
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
        constexpr Product product = kInt8 ? Product::SignedLeft : Product::Bf16;
        const char *values = in.row[kStep / chunks] + part * kTileSide * in.stride + tap * 4;
        if constexpr (kWide) {
            const char *weights = in.weights + kStep * 2 * kTileBytes;
            multiply_square<product>(weights, weights + kTileBytes, kTileRow, values, values + kTileRow, in.stride);
        } else {
            multiply_row<product>(in.weights + kStep * kTileBytes, kTileRow, values, kTileRow, in.stride);
        }
    }
};

template <bool kInt8, int kChunks, bool kWide>
using PixelBlock = TileBlock<PixelForm<kInt8, kChunks, kWide>>;
template <bool kInt8, int kPixelBytes, bool kWide>
using MapBlock = TileBlock<MapForm<kInt8, kPixelBytes, kWide>>;

}  // namespace
