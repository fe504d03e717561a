// A residual block in one kernel: y + conv2(relu(conv1(y))). What is between the layers stays in shared memory, so
// features cross the memory once each way for two layers. The middle has 32 columns, the result the 30 inside.
#pragma once

#include "layer.h"

struct Residual {
    const void *input;     // height x width x channels
    const Word4 *weights;  // conv1's, then conv2's
    const float *bias;     // conv1's, then conv2's
    void *output;
    int height, width, across, tiles;
};

namespace residual {

// What the block adds waits in registers or, where they are scarce, is read again from memory.
template <int channels, int warps, products::How how> struct Pair {
    static constexpr bool reload = how == products::How::sparing;
    static constexpr int tiles = channels / 8, pixel = 2 * channels, threads = 32 * warps;
    static constexpr int middle_rows = 2 * warps, rows = middle_rows - 2, columns = tile::kColumns - 2;
    static constexpr int quads = layer::Shape<channels, tiles>::quads;
    static constexpr int input_at = 2 * quads * 16;
    static constexpr int middle_at = input_at + (middle_rows + 2) * tile::Layout<pixel>::row;
    typedef tile::Layout<pixel> L;
    typedef typename halves::Packed<tiles>::Words Words;
    typedef Words Waiting[products::kStrips][2];

    DEVICE static void fetch(const Residual &block, int number) {
        tile::fetch<pixel, threads>({block.input, block.height, block.width}, {number, block.across, rows, columns}, 2,
                                    middle_rows + 2, input_at);
    }
    // Where a lane's channels of a pixel lie in a tile.
    DEVICE static int place(int y, int column) {
        const int byte = 4 * tiles * (gpu::lane() & 3);
        return L::place(y, column, byte / 16) + byte % 16;
    }

    // Stores the middle, zero beyond the picture as the convolution's padding is, and takes what the block adds out of
    // the input's place, so that the next tile can come there.
    DEVICE static void keep(const Residual &block, const tile::Corner &corner, const products::Block<tiles> &sums,
                            Waiting &waiting) {
        UNROLL
        for (int s = 0; s < products::kStrips; ++s) {
            UNROLL
            for (int half = 0; half < 2; ++half) {
                const products::Spot spot(s, half);
                const int r = 2 * gpu::warp() + spot.y;
                const bool present =
                    gpu::inside(corner.y - 1 + r, block.height) && gpu::inside(corner.x - 1 + spot.x, block.width);
                const Words words = halves::pack<true>(products::Channels<tiles>(sums.strip[s], half));
                gpu::shared_store<Words>(middle_at + place(r, spot.x), present ? words : Words());
                if (!reload && r < rows)
                    waiting[s][half] = gpu::shared_load<Words>(input_at + place(r + 2, spot.x < columns ? spot.x + 2 : 0));
            }
        }
        // Two more columns are read for results that nobody keeps; they must be numbers all the same.
        const int chunk = gpu::lane() % L::chunks, column = gpu::lane() / L::chunks;
        if (column < 4)
            gpu::shared_store(middle_at + L::place(2 * gpu::warp() + column / 2, tile::kColumns + column % 2, chunk),
                              gpu::zeros());
    }

    DEVICE static void finish(const Residual &block, const tile::Corner &corner, const products::Block<tiles> &sums,
                              const Waiting &waiting) {
        UNROLL
        for (int s = 0; s < products::kStrips; ++s) {
            UNROLL
            for (int half = 0; half < 2; ++half) {
                const products::Spot spot(s, half);
                const int y = corner.y + 2 * gpu::warp() + spot.y, x = corner.x + spot.x;
                if (spot.x < columns && y < block.height && x < block.width) {
                    const long long at =
                        (static_cast<long long>(y) * block.width + x) * pixel + 4 * tiles * (gpu::lane() & 3);
                    products::Channels<tiles> v(sums.strip[s], half);
                    halves::add(v, reload ? gpu::load_constant(reinterpret_cast<const Words *>(
                                                static_cast<const char *>(block.input) + at))
                                          : waiting[s][half]);
                    gpu::store(reinterpret_cast<Words *>(static_cast<char *>(block.output) + at), halves::pack<false>(v));
                }
            }
        }
    }

    DEVICE static void run(const Residual &block) {
        const int warp = gpu::warp();
        tile::fetch_weights<threads>(block.weights, 2 * quads);
        const products::Reach<channels> reach(gpu::lane());
        int number = gpu::block_x();
        if (number < block.tiles) fetch(block, number);
        gpu::copies_close();
        NO_UNROLL
        for (; number < block.tiles; number += gpu::grid_x()) {
            const tile::Corner corner(number, block.across, rows, columns);
            const int next = number + gpu::grid_x();
            gpu::copies_wait<0>();
            gpu::barrier();
            products::Block<tiles> sums;
            products::Bias<tiles>(block.bias).begin(sums);
            products::convolve<how, channels, tiles>(input_at, 0, 2 * warp, reach, sums);
            Waiting waiting;
            keep(block, corner, sums, waiting);
            gpu::barrier();
            if (next < block.tiles) fetch(block, next);
            gpu::copies_close();
            if (warp < warps - 1) {
                products::Bias<tiles>(block.bias + channels).begin(sums);
                products::convolve<how, channels, tiles>(middle_at, quads * 16, 2 * warp, reach, sums);
                finish(block, corner, sums, waiting);
            }
        }
        gpu::copies_wait<0>();
    }
};

}  // namespace residual
