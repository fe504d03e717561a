// Blocks of a convolution in tiles: 32 pixels by 32 channels, or 64 by 16. A row of a tile is a pixel's run of 64 bytes,
// which holds taps -1, 0, 1 one after another; where the run of three taps is not a multiple of 64 bytes its last product
// has weights of zero. Sums start from the bias.
#pragma once

#include "arch/x86/tiles.h"
#include "encoder/rows.h"

namespace {

constexpr int kTileBytes = 1024, kTileRow = 64, kTileChannels = 16, kTilePixels = 16;

// One block's place in its convolution.
struct BlockInput {
    const char *row[kTaps];
    std::ptrdiff_t stride;  // bytes a pixel
    int chunks;             // products for each input row
    const char *weights;
    const float *start;  // bias, or what integer sums start from
};

// Intrinsics take tiles by literal number only.
#define ESR_TILE_PRODUCT(sum, values, weights)        \
    do {                                              \
        if constexpr (kInt8)                          \
            _tile_dpbusd(sum, values, weights);       \
        else                                          \
            _tile_dpbf16ps(sum, values, weights);     \
    } while (0)

struct WideBlock {
    static constexpr int pixels = 2 * kTilePixels, channels = 2 * kTileChannels;

    // After each product between(step) has a chance to use the vector unit.
    template <bool kInt8, class Between>
    static ESR_INLINE void run(const BlockInput &in, float *sums, const Between &between) {
        _tile_loadd(0, in.start, 0);
        _tile_loadd(1, in.start + kTileChannels, 0);
        _tile_loadd(2, in.start, 0);
        _tile_loadd(3, in.start + kTileChannels, 0);
        const char *weights = in.weights;
        int step = 0;
        for (int dy = 0; dy < kTaps; ++dy)
            for (int chunk = 0; chunk < in.chunks; ++chunk, weights += 2 * kTileBytes) {
                const char *values = in.row[dy] + chunk * kTileRow;
                _tile_loadd(4, values, in.stride);
                _tile_loadd(6, weights, kTileRow);
                ESR_TILE_PRODUCT(0, 4, 6);
                _tile_loadd(7, weights + kTileBytes, kTileRow);
                ESR_TILE_PRODUCT(1, 4, 7);
                _tile_loadd(5, values + kTilePixels * in.stride, in.stride);
                ESR_TILE_PRODUCT(2, 5, 6);
                ESR_TILE_PRODUCT(3, 5, 7);
                between(step++);
            }
        constexpr int pitch = channels * sizeof(float);
        _tile_stored(0, sums, pitch);
        _tile_stored(1, sums + kTileChannels, pitch);
        _tile_stored(2, sums + kTilePixels * channels, pitch);
        _tile_stored(3, sums + kTilePixels * channels + kTileChannels, pitch);
    }
};

struct NarrowBlock {
    static constexpr int pixels = 4 * kTilePixels, channels = kTileChannels;

    template <bool kInt8, class Between>
    static ESR_INLINE void run(const BlockInput &in, float *sums, const Between &between) {
        _tile_loadd(0, in.start, 0);
        _tile_loadd(1, in.start, 0);
        _tile_loadd(2, in.start, 0);
        _tile_loadd(3, in.start, 0);
        const char *weights = in.weights;
        const std::ptrdiff_t next = kTilePixels * in.stride;
        int step = 0;
        for (int dy = 0; dy < kTaps; ++dy)
            for (int chunk = 0; chunk < in.chunks; ++chunk, weights += kTileBytes) {
                const char *values = in.row[dy] + chunk * kTileRow;
                _tile_loadd(6, weights, kTileRow);
                _tile_loadd(4, values, in.stride);
                ESR_TILE_PRODUCT(0, 4, 6);
                _tile_loadd(5, values + next, in.stride);
                ESR_TILE_PRODUCT(1, 5, 6);
                _tile_loadd(4, values + 2 * next, in.stride);
                ESR_TILE_PRODUCT(2, 4, 6);
                _tile_loadd(5, values + 3 * next, in.stride);
                ESR_TILE_PRODUCT(3, 5, 6);
                between(step++);
            }
        constexpr int pitch = channels * sizeof(float);
        _tile_stored(0, sums, pitch);
        _tile_stored(1, sums + kTilePixels * channels, pitch);
        _tile_stored(2, sums + 2 * kTilePixels * channels, pitch);
        _tile_stored(3, sums + 3 * kTilePixels * channels, pitch);
    }
};

// The products of a wide block's step alone.
template <bool kInt8>
struct WideProducts {
    static ESR_INLINE void run() {
        ESR_TILE_PRODUCT(0, 4, 6);
        ESR_TILE_PRODUCT(1, 4, 7);
        ESR_TILE_PRODUCT(2, 5, 6);
        ESR_TILE_PRODUCT(3, 5, 7);
    }
};

#undef ESR_TILE_PRODUCT

}  // namespace
