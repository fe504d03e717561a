// The modulation branch of modes 1 and 2, which lives at LR: k_i = relu(A_i k_(i-1) + content_i), in the maps' own place.
// The encoder has written the content terms, k_0 with its ReLU taken. A warp takes 32 pixels, in any order.
#pragma once

#include "decoder.h"

struct Chain {
    void *maps;            // pixels x all widths, float16
    const Word4 *weights;  // fragments of each layer from the second on
    long long pixels;
};

namespace chain {

using decoder::kChannels;
using decoder::kLayers;
using decoder::kWidths;
using decoder::sum_of_widths;

// Bytes of the weights of the layers before `layer`.
DEVICE constexpr int bytes_before(int layer) {
    return layer < 2 ? 0 : bytes_before(layer - 1) + kWidths[layer - 1] * kWidths[layer - 2] * 2;
}

struct Pixels {
    char *maps[units::kPixels];
    bool present[units::kPixels];
};

// Zeros where there is no pixel: its neighbour's maps are being written meanwhile.
template <int width> DEVICE units::Words<width> read(const char *from, bool present) {
    units::Words<width> words = {};
    if (!present) return words;
    UNROLL
    for (int i = 0; i < width / 16; ++i) {
        const Word2 q = gpu::load(reinterpret_cast<const Word2 *>(from) + i);
        words.at[2 * i] = q.x, words.at[2 * i + 1] = q.y;
    }
    return words;
}

template <int layer> DEVICE void layers_from(const Pixels &pixels, const units::Activations<kWidths[layer - 1]> &in) {
    if constexpr (layer < kLayers) {
        constexpr int before = kWidths[layer - 1], width = kWidths[layer], tiles = width / 8;
        const int share = 2 * sum_of_widths(layer) + (gpu::lane() & 3) * (width / 2);
        units::Words<width> content[units::kPixels];
        UNROLL
        for (int p = 0; p < units::kPixels; ++p) content[p] = read<width>(pixels.maps[p] + share, pixels.present[p]);
        units::Activations<width> out;
        UNROLL
        for (int j = 0; j < tiles; ++j) {
            gpu::Sums sums[2];
            UNROLL
            for (int s = 0; s < 2; ++s)
                sums[s] = {{content[2 * s].even(j), content[2 * s].odd(j), content[2 * s + 1].even(j),
                            content[2 * s + 1].odd(j)}};
            UNROLL
            for (int k = 0; k < before / 16; ++k) {
                const Word2 w = gpu::shared_load<Word2>(bytes_before(layer) + ((j * (before / 16) + k) * 32 + gpu::lane()) * 8);
                UNROLL
                for (int s = 0; s < 2; ++s) sums[s] = gpu::multiply(in.operand(s, k), w.x, w.y, sums[s]);
            }
            UNROLL
            for (int p = 0; p < units::kPixels; ++p)
                out.pixel[p].at[j] =
                    gpu::positive_halves(sums[p / 2].at[2 * (p & 1)], sums[p / 2].at[2 * (p & 1) + 1]);
        }
        UNROLL
        for (int p = 0; p < units::kPixels; ++p)
            if (pixels.present[p]) units::write<width>(pixels.maps[p] + share, out.pixel[p]);
        layers_from<layer + 1>(pixels, out);
    }
}

DEVICE void run(const Chain &chain) {
    constexpr int threads = 32 * decoder::kWarps;
    for (int i = gpu::thread(); i < bytes_before(kLayers) / 16; i += threads) gpu::copy16(i * 16, chain.weights + i, true);
    gpu::copies_close();
    gpu::copies_wait<0>();
    gpu::barrier();
    Pixels pixels;
    units::Activations<kWidths[0]> first;
    UNROLL
    for (int p = 0; p < units::kPixels; ++p) {
        const long long at = static_cast<long long>(gpu::block_x()) * threads + gpu::warp() * 32 + 8 * p + gpu::lane() / 4;
        pixels.present[p] = at < chain.pixels;
        pixels.maps[p] = static_cast<char *>(chain.maps) + at * 2 * kChannels;
        first.pixel[p] = read<kWidths[0]>(pixels.maps[p] + (gpu::lane() & 3) * (kWidths[0] / 2), pixels.present[p]);
    }
    layers_from<1>(pixels, first);
}

}  // namespace chain
