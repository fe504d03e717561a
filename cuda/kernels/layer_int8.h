// One 3 x 3 convolution of the encoder over int8 levels, which its input holds or which are made of its halves on the
// way to shared memory.
#pragma once

#include "layer.h"
#include "products_int8.h"

namespace layer {

enum class Source { halves, levels };

template <int channels, int tiles> struct LevelShape {
    static constexpr int quads = products::LevelReach<channels>::steps * tiles / 2 * 32;
    static constexpr int weight_bytes = quads * 16;
};

template <Source source, int channels, int threads>
DEVICE void fill(const Layer &layer, const tile::Corner &corner, int rows, int to) {
    const tile::Picture input = {layer.input, layer.height, layer.width};
    if (source == Source::levels)
        tile::fetch<channels, threads>(input, corner, 1, rows, to);
    else
        products::quantise<channels, threads>(input, corner, 1, rows, to, layer.input_inverse);
}

template <End end, int tiles>
DEVICE void finish(const Layer &layer, const tile::Corner &corner, int group,
                   const products::LevelBlock<tiles> &sums) {
    const int channel = 2 * tiles * (4 * group + (gpu::lane() & 3));
    UNROLL
    for (int s = 0; s < products::kStrips; ++s) {
        UNROLL
        for (int half = 0; half < 2; ++half) {
            const products::Spot spot(s, half);
            const int y = corner.y + 2 * gpu::warp() + spot.y, x = corner.x + spot.x;
            if (y < layer.height && x < layer.width) {
                products::Channels<tiles> v(sums.strip[s], half, layer.scale + channel, layer.bias + channel);
                write<end, tiles>(layer, static_cast<long long>(y) * layer.width + x, channel, v);
            }
        }
    }
}

template <int channels, int tiles, int warps, Source source, End end> DEVICE void run_levels(const Layer &layer) {
    typedef LevelShape<channels, tiles> S;
    constexpr int threads = 32 * warps, rows = 2 * warps;
    const int group = gpu::block_y(), warp = gpu::warp();
    tile::fetch_weights<threads>(layer.weights + group * S::quads, S::quads);
    const products::LevelReach<channels> reach(gpu::lane());
    NO_UNROLL
    for (int number = gpu::block_x(); number < layer.tiles; number += gpu::grid_x()) {
        const tile::Corner corner(number, layer.across, rows, tile::kColumns);
        fill<source, channels, threads>(layer, corner, rows + 2, S::weight_bytes);
        gpu::copies_close();
        gpu::copies_wait<0>();
        gpu::barrier();
        products::LevelBlock<tiles> sums;
        products::gather_levels<channels, tiles>(S::weight_bytes, 0, 2 * warp, reach, sums);
        finish<end, tiles>(layer, corner, group, sums);
        gpu::barrier();
    }
}

}  // namespace layer
