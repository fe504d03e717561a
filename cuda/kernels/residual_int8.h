// A residual block over int8 levels in one kernel: y + conv2(relu(conv1(y))). Features stay halves in memory; their
// levels, and those between the layers, are in shared memory alone.
#pragma once

#include "layer_int8.h"

struct LevelResidual {
    const void *input;     // height x width x channels, float16
    const Word4 *weights;  // conv1's, then conv2's
    const float *scale;    // of each output, conv1's, then conv2's
    const float *bias;
    void *output;
    int height, width, across, tiles;
    float input_inverse, middle_inverse;
};

namespace residual {

template <int channels, int warps> struct LevelPair {
    static constexpr int tiles = channels / 8, threads = 32 * warps;
    static constexpr int middle_rows = 2 * warps, rows = middle_rows - 2, columns = tile::kColumns - 2;
    static constexpr int quads = layer::LevelShape<channels, tiles>::quads;
    typedef tile::Layout<channels> L;
    static constexpr int input_at = 2 * quads * 16, middle_at = input_at + (middle_rows + 2) * L::row;
    typedef products::LevelBlock<tiles> Sums;
    typedef typename levels::Packed<tiles>::Words Levels;
    typedef typename halves::Packed<tiles>::Words Words;

    // Stores the middle, zero beyond the picture as the convolution's padding is.
    DEVICE static void keep(const LevelResidual &block, const tile::Corner &corner, const Sums &sums) {
        const int channel = 2 * tiles * (gpu::lane() & 3);
        UNROLL
        for (int s = 0; s < products::kStrips; ++s) {
            UNROLL
            for (int half = 0; half < 2; ++half) {
                const products::Spot spot(s, half);
                const int r = 2 * gpu::warp() + spot.y;
                const bool present =
                    gpu::inside(corner.y - 1 + r, block.height) && gpu::inside(corner.x - 1 + spot.x, block.width);
                const Levels kept = levels::pack<true>(
                    products::Channels<tiles>(sums.strip[s], half, block.scale + channel, block.bias + channel),
                    block.middle_inverse);
                gpu::shared_store<Levels>(middle_at + L::place(r, spot.x, channel / 16) + channel % 16,
                                          present ? kept : Levels());
            }
        }
        // Two more columns are read for results that nobody keeps; they must be numbers all the same.
        const int chunk = gpu::lane() % L::chunks, column = gpu::lane() / L::chunks;
        if (column < 4)
            gpu::shared_store(middle_at + L::place(2 * gpu::warp() + column / 2, tile::kColumns + column % 2, chunk),
                              gpu::zeros());
    }

    DEVICE static void finish(const LevelResidual &block, const tile::Corner &corner, const Sums &sums) {
        const int channel = 2 * tiles * (gpu::lane() & 3);
        UNROLL
        for (int s = 0; s < products::kStrips; ++s) {
            UNROLL
            for (int half = 0; half < 2; ++half) {
                const products::Spot spot(s, half);
                const int y = corner.y + 2 * gpu::warp() + spot.y, x = corner.x + spot.x;
                if (spot.x < columns && y < block.height && x < block.width) {
                    const long long at = ((static_cast<long long>(y) * block.width + x) * channels + channel) * 2;
                    products::Channels<tiles> v(sums.strip[s], half, block.scale + channels + channel,
                                                block.bias + channels + channel);
                    halves::add(v, gpu::load_constant(reinterpret_cast<const Words *>(
                                       static_cast<const char *>(block.input) + at)));
                    gpu::store(reinterpret_cast<Words *>(static_cast<char *>(block.output) + at),
                               halves::pack<false>(v));
                }
            }
        }
    }

    DEVICE static void run(const LevelResidual &block) {
        const int warp = gpu::warp();
        const tile::Picture input = {block.input, block.height, block.width};
        tile::fetch_weights<threads>(block.weights, 2 * quads);
        const products::LevelReach<channels> reach(gpu::lane());
        NO_UNROLL
        for (int number = gpu::block_x(); number < block.tiles; number += gpu::grid_x()) {
            const tile::Corner corner(number, block.across, rows, columns);
            products::quantise<channels, threads>(input, corner, 2, middle_rows + 2, input_at, block.input_inverse);
            gpu::copies_close();
            gpu::copies_wait<0>();
            gpu::barrier();
            Sums sums;
            products::gather_levels<channels, tiles>(input_at, 0, 2 * warp, reach, sums);
            keep(block, corner, sums);
            gpu::barrier();
            if (warp < warps - 1) {
                Sums results;
                products::gather_levels<channels, tiles>(middle_at, quads * 16, 2 * warp, reach, results);
                finish(block, corner, results);
            }
        }
    }
};

}  // namespace residual
