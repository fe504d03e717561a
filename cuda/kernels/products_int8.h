// The sums of products.h over int8 levels, which are exact. A step is 32 levels of a pixel: one tap of 32 channels, or
// two taps of 16, of which the tenth has no weights.
#pragma once

#include "levels.h"

namespace products {

// What a lane adds to a strip's place in shared memory, for each step.
template <int channels> struct LevelReach {
    static constexpr int steps = channels == 32 ? 9 : 5;
    int at[steps];
    DEVICE explicit LevelReach(int lane) {
        UNROLL
        for (int step = 0; step < steps; ++step) {
            const int tap = channels == 32 ? step : gpu::smaller(2 * step + (lane >> 4), 8);
            at[step] = tile::Layout<channels>::place(tap / 3, (lane & 15) + tap % 3, channels == 32 ? lane >> 4 : 0);
        }
    }
};

template <int tiles> struct LevelBlock {
    gpu::IntSums strip[kStrips][tiles] = {};
};

template <int channels, int tiles>
DEVICE void gather_levels(int at, int weights, int first_row, const LevelReach<channels> &reach,
                          LevelBlock<tiles> &sums) {
    typedef tile::Layout<channels> L;
    UNROLL
    for (int step = 0; step < LevelReach<channels>::steps; ++step) {
        const Fragments<tiles> w(weights, step, gpu::lane());
        UNROLL
        for (int s = 0; s < kStrips; ++s) {
            const int corner = (first_row + s / 2) * L::row + (s & 1) * 16 * channels;
            const Word4 pixels = gpu::load_matrices(at + corner + reach.at[step]);
            UNROLL
            for (int j = 0; j < tiles; ++j)
                sums.strip[s][j] = gpu::multiply_int8(pixels, w.first(j), w.second(j), sums.strip[s][j]);
        }
    }
}

// As tile::fetch, of a picture of halves, whose levels go to shared memory.
template <int channels, int threads>
DEVICE void quantise(const tile::Picture &picture, const tile::Corner &corner, int halo, int rows, int to,
                     float inverse) {
    constexpr int parts = channels / 8;
    const Word4 *halves = static_cast<const Word4 *>(picture.pixels);
    for (int i = gpu::thread(); i < rows * tile::kHaloColumns * parts; i += threads) {
        const int part = i % parts, column = i / parts % tile::kHaloColumns, r = i / (parts * tile::kHaloColumns);
        const int y = corner.y - halo + r, x = corner.x - halo + column;
        const bool present = gpu::inside(y, picture.height) && gpu::inside(x, picture.width);
        const long long at = (static_cast<long long>(y) * picture.width + x) * parts + part;
        gpu::shared_store(to + tile::Layout<channels>::place(r, column, part / 2) + part % 2 * 8,
                          present ? levels::quantise(gpu::load_constant(halves + at), inverse) : Word2());
    }
}

}  // namespace products
