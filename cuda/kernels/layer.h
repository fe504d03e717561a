// One 3 x 3 convolution of the encoder, float16, height x width x channels; layer_int8.h has the same in int8.
//
// A block stays on the GPU and takes tile after tile, 32 columns by two rows a warp; weights come to shared memory once.
// With two stages the next tile is copied while one is computed.
#pragma once

#include "levels.h"

struct Layer {
    const void *input;     // height x width x channels
    const Word4 *weights;  // a group after the other: 9 * channels / 16 steps of fragments
    const float *bias;
    const void *residual;  // float16, height x width x channels, or null
    void *output;
    const float *scale;  // int8: each output's, the input's scale times the weights'
    int height, width;
    int across, tiles;            // tiles in a row of tiles, and in all
    int output_pixel, output_at;  // bytes of a pixel of the output, and of the channels before these
    int rectified;                // channels, of this launch's, of which ReLU is taken
    float input_inverse, output_inverse;  // one over the scale of levels that are made on the way in and out
};

namespace layer {

// What becomes of the sums; `_levels`: stored as int8.
enum class End { relu, residual, maps, relu_levels, residual_levels };
DEVICE constexpr bool adds(End end) { return end == End::residual || end == End::residual_levels; }
DEVICE constexpr bool makes_levels(End end) { return end == End::relu_levels || end == End::residual_levels; }

template <int channels, int tiles> struct Shape {
    static constexpr int steps = 9 * channels / 16;
    static constexpr int quads = steps * tiles / 2 * 32;
    static constexpr int weight_bytes = quads * 16;
};

// Rounds and stores a lane's adjacent channels, from `channel` on, of pixel number `pixel`. Results of one pixel lie
// `output_pixel` bytes apart.
template <End end, int tiles>
DEVICE void write(const Layer &layer, long long pixel, int channel, products::Channels<tiles> &v) {
    typedef typename halves::Packed<tiles>::Words Words;
    // Not load_constant: the output may lie where the residual does, each lane's upon its own.
    if (adds(end))
        halves::add(v, gpu::load(reinterpret_cast<const Words *>(static_cast<const char *>(layer.residual) +
                                                                 pixel * 16 * tiles + 2 * channel)));
    char *to = static_cast<char *>(layer.output) + pixel * layer.output_pixel + layer.output_at;
    if constexpr (makes_levels(end)) {
        typedef typename levels::Packed<tiles>::Words Levels;
        gpu::store(reinterpret_cast<Levels *>(to + channel),
                   levels::pack<end == End::relu_levels>(v, layer.output_inverse));
    } else {
        Words words = halves::pack<end == End::relu>(v);
        if (end == End::maps && channel < layer.rectified) words = halves::pack<true>(v);
        gpu::store(reinterpret_cast<Words *>(to + 2 * channel), words);
    }
}

// What a warp has summed.
template <End end, int tiles>
DEVICE void finish(const Layer &layer, const tile::Corner &corner, int group, const products::Block<tiles> &sums) {
    const int channel = 2 * tiles * (4 * group + (gpu::lane() & 3));
    UNROLL
    for (int s = 0; s < products::kStrips; ++s) {
        UNROLL
        for (int half = 0; half < 2; ++half) {
            const products::Spot spot(s, half);
            const int y = corner.y + 2 * gpu::warp() + spot.y, x = corner.x + spot.x;
            if (y < layer.height && x < layer.width) {
                products::Channels<tiles> v(sums.strip[s], half);
                write<end, tiles>(layer, static_cast<long long>(y) * layer.width + x, channel, v);
            }
        }
    }
}

template <int channels, int tiles, int warps, int stages, End end, products::How how> DEVICE void run(const Layer &layer) {
    typedef Shape<channels, tiles> S;
    constexpr int threads = 32 * warps, rows = 2 * warps, pixel = 2 * channels;
    constexpr int tile_bytes = (rows + 2) * tile::Layout<pixel>::row;
    const int group = gpu::block_y(), warp = gpu::warp();
    const tile::Picture input = {layer.input, layer.height, layer.width};
    tile::fetch_weights<threads>(layer.weights + group * S::quads, S::quads);
    const products::Bias<tiles> bias(layer.bias + 8 * tiles * group);
    const products::Reach<channels> reach(gpu::lane());
    int number = gpu::block_x(), stage = 0;
    if (number < layer.tiles)
        tile::fetch<pixel, threads>(input, {number, layer.across, rows, tile::kColumns}, 1, rows + 2, S::weight_bytes);
    gpu::copies_close();
    NO_UNROLL
    for (; number < layer.tiles; number += gpu::grid_x()) {
        const int next = number + gpu::grid_x(), at = S::weight_bytes + stage * tile_bytes;
        if (stages == 2) {
            stage ^= 1;
            if (next < layer.tiles)
                tile::fetch<pixel, threads>(input, {next, layer.across, rows, tile::kColumns}, 1, rows + 2,
                                            S::weight_bytes + stage * tile_bytes);
            gpu::copies_close();
        }
        gpu::copies_wait<stages - 1>();
        gpu::barrier();
        products::Block<tiles> sums;
        bias.begin(sums);
        products::convolve<how, channels, tiles>(at, 0, 2 * warp, reach, sums);
        finish<end, tiles>(layer, {number, layer.across, rows, tile::kColumns}, group, sums);
        gpu::barrier();
        if (stages == 1 && next < layer.tiles) {
            tile::fetch<pixel, threads>(input, {next, layer.across, rows, tile::kColumns}, 1, rows + 2,
                                        S::weight_bytes);
            gpu::copies_close();
        }
    }
    gpu::copies_wait<0>();
}

}  // namespace layer
