// Sums over the nine taps of a 3 x 3 convolution on tensor cores. Pixels are the rows of the products, channels the
// columns: 16 neighbouring pixels are a strip, `tiles` times 8 channels a group.
//
// Channel 2 tiles t + 2 j + e of a group is column 8 j + 2 t + e: so lane t of a pixel's four ends up with 2 tiles
// adjacent channels, which it stores, and reads for a residual, at once.
#pragma once

#include "tile.h"

namespace products {

// What a lane adds to a strip's place in shared memory, for a tap's column and a step of 16 channels.
template <int channels> struct Reach {
    static constexpr int steps = channels / 16;
    int at[3][steps];
    DEVICE explicit Reach(int lane) {
        UNROLL
        for (int dx = 0; dx < 3; ++dx) {
            UNROLL
            for (int k = 0; k < steps; ++k)
                at[dx][k] = tile::Layout<2 * channels>::place(0, (lane & 15) + dx, 2 * k + (lane >> 4));
        }
    }
};

// The sums of a warp: strip s begins at row first_row + s / 2, column 16 * (s & 1) of the tile.
constexpr int kStrips = 4;
template <int tiles> struct Block {
    gpu::Sums strip[kStrips][tiles];
};

// A step's weights for one lane: registers b0 and b1 of each of `tiles` times 8 columns.
template <int tiles> struct Fragments {
    Word4 quad[tiles / 2];
    DEVICE Fragments(int weights, int step, int lane) {
        UNROLL
        for (int i = 0; i < tiles / 2; ++i)
            quad[i] = gpu::shared_load<Word4>(weights + ((step * (tiles / 2) + i) * 32 + lane) * 16);
    }
    DEVICE unsigned first(int j) const { return j & 1 ? quad[j / 2].z : quad[j / 2].x; }
    DEVICE unsigned second(int j) const { return j & 1 ? quad[j / 2].w : quad[j / 2].y; }
};

template <int channels> DEVICE int corner(int row, int strip) {
    return (row + strip / 2) * tile::Layout<2 * channels>::row + (strip & 1) * 16 * 2 * channels;
}

// The three taps of one row.
template <int channels, int tiles>
DEVICE void gather_row(int at, int weights, int row, const Reach<channels> &reach, Block<tiles> &sums) {
    UNROLL
    for (int step = 0; step < 3 * Reach<channels>::steps; ++step) {
        const int dx = step / Reach<channels>::steps, k = step % Reach<channels>::steps;
        const Fragments<tiles> w(weights, step, gpu::lane());
        UNROLL
        for (int s = 0; s < kStrips; ++s) {
            const Word4 pixels = gpu::load_matrices(at + corner<channels>(row, s) + reach.at[dx][k]);
            UNROLL
            for (int j = 0; j < tiles; ++j)
                sums.strip[s][j] = gpu::multiply(pixels, w.first(j), w.second(j), sums.strip[s][j]);
        }
    }
}

template <int channels, int tiles>
DEVICE void gather(int at, int weights, int first_row, const Reach<channels> &reach, Block<tiles> &sums) {
    constexpr int row_bytes = 3 * Reach<channels>::steps * tiles / 2 * 512;
    UNROLL
    for (int dy = 0; dy < 3; ++dy)
        gather_row<channels, tiles>(at, weights + dy * row_bytes, first_row + dy, reach, sums);
}

// The same with one row's instructions after the other, so that none of the next row's waits in registers.
template <int channels, int tiles>
DEVICE void gather_sparing(int at, int weights, int first_row, const Reach<channels> &reach, Block<tiles> &sums) {
    constexpr int row_bytes = 3 * Reach<channels>::steps * tiles / 2 * 512;
    NO_UNROLL
    for (int dy = 0; dy < 3; ++dy)
        gather_row<channels, tiles>(at, weights + dy * row_bytes, first_row + dy, reach, sums);
}

DEVICE void widen(gpu::Sums &sums, const gpu::HalfSums &part) {
    sums.at[0] += gpu::low_half(part.low);
    sums.at[1] += gpu::high_half(part.low);
    sums.at[2] += gpu::low_half(part.high);
    sums.at[3] += gpu::high_half(part.high);
}

// The same with float16 sums over the taps of one row, then added to float32: GeForce 30 and 40 multiply so at twice
// the rate.
template <int channels, int tiles>
DEVICE void gather_narrow(int at, int weights, int first_row, const Reach<channels> &reach, Block<tiles> &sums) {
    UNROLL
    for (int dy = 0; dy < 3; ++dy) {
        gpu::HalfSums part[kStrips][tiles] = {};
        UNROLL
        for (int step = 0; step < 3 * Reach<channels>::steps; ++step) {
            const int dx = step / Reach<channels>::steps, k = step % Reach<channels>::steps;
            const Fragments<tiles> w(weights, (3 * dy + dx) * Reach<channels>::steps + k, gpu::lane());
            UNROLL
            for (int s = 0; s < kStrips; ++s) {
                const Word4 pixels = gpu::load_matrices(at + corner<channels>(first_row + dy, s) + reach.at[dx][k]);
                UNROLL
                for (int j = 0; j < tiles; ++j)
                    part[s][j] = gpu::multiply_half(pixels, w.first(j), w.second(j), part[s][j]);
            }
        }
        UNROLL
        for (int s = 0; s < kStrips; ++s) {
            UNROLL
            for (int j = 0; j < tiles; ++j) widen(sums.strip[s][j], part[s][j]);
        }
    }
}

enum class How { wide, sparing, narrow };

template <How how, int channels, int tiles>
DEVICE void convolve(int at, int weights, int first_row, const Reach<channels> &reach, Block<tiles> &sums) {
    if (how == How::sparing)
        gather_sparing<channels, tiles>(at, weights, first_row, reach, sums);
    else if (how == How::narrow)
        gather_narrow<channels, tiles>(at, weights, first_row, reach, sums);
    else
        gather<channels, tiles>(at, weights, first_row, reach, sums);
}

// The bias of the channels that a lane ends up with.
template <int tiles> struct Bias {
    float at[2 * tiles];
    DEVICE explicit Bias(const float *bias) {
        UNROLL
        for (int i = 0; i < 2 * tiles; ++i) at[i] = gpu::load_constant(bias + 2 * tiles * (gpu::lane() & 3) + i);
    }
    DEVICE void begin(Block<tiles> &sums) const {
        UNROLL
        for (int s = 0; s < kStrips; ++s) {
            UNROLL
            for (int j = 0; j < tiles; ++j) sums.strip[s][j] = {{at[2 * j], at[2 * j + 1], at[2 * j], at[2 * j + 1]}};
        }
    }
};

// A lane's adjacent channels of one pixel: half 0 is the strip's pixel lane / 4, half 1 the one eight further.
template <int tiles> struct Channels {
    float at[2 * tiles];
    DEVICE Channels(const gpu::Sums (&sums)[tiles], int half) {
        UNROLL
        for (int j = 0; j < tiles; ++j) {
            at[2 * j] = sums[j].at[2 * half];
            at[2 * j + 1] = sums[j].at[2 * half + 1];
        }
    }
    // Sums of levels: `scale` and `bias` are those of the channels from the lane's first on.
    DEVICE Channels(const gpu::IntSums (&sums)[tiles], int half, const float *scale, const float *bias) {
        UNROLL
        for (int i = 0; i < 2 * tiles; ++i)
            at[i] = gpu::fma(static_cast<float>(sums[i / 2].at[2 * half + i % 2]), gpu::load_constant(scale + i),
                             gpu::load_constant(bias + i));
    }
};

// Where pixel `half` of strip s lies, counted from the warp's first row and the tile's first column.
struct Spot {
    int y, x;
    DEVICE Spot(int s, int half) : y(s / 2), x(16 * (s & 1) + 8 * half + gpu::lane() / 4) {}
};

}  // namespace products
