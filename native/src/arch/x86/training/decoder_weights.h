// The decoder's weights as its products need them, and its gradients, for layers padded to 32 channels.
#pragma once

#include "arch/x86/training/packing.h"

namespace {

// A layer's products with the one before: 32 modulation channels, then 32 synthesis channels.
constexpr int kBoth = 2 * kWidth;

struct DecoderWeights {
    explicit DecoderWeights(int layers)
        : forward(layers * 4 * kTileValues), backward(layers * 4 * kTileValues), last_tile(kTileValues), bias(layers * kWidth),
          position(kPositions * kWidth), last(kColours * kWidth) {}

    Bf16 *forward_of(int layer) { return forward.data() + layer * 4 * kTileValues; }
    Bf16 *backward_of(int layer) { return backward.data() + layer * 4 * kTileValues; }

    esr::Buffer<Bf16> forward, backward, last_tile;
    esr::Buffer<float> bias, position, last;
    float last_bias[4] = {};

    void pack(const Form &form, const float *const *values) {
        for (int layer = 0; layer < form.layers; ++layer) {
            const float *b = values[form.synthesis(layer) + 1];
            for (int n = 0; n < form.widths[layer]; ++n) bias[layer * kWidth + n] = b[n];
            if (layer) pack_layer(form, values, layer);
        }
        const float *first = values[form.synthesis(0)];
        for (int n = 0; n < form.widths[0]; ++n)
            for (int k = 0; k < kPositions; ++k) position[k * kWidth + n] = first[n * kPositions + k];
        pack_last(values[form.last()], values[form.last() + 1], form.widths[form.layers - 1]);
    }

private:
    void pack_layer(const Form &form, const float *const *values, int layer) {
        const int inputs = form.widths[layer - 1], outputs = form.widths[layer];
        const float *modulation = values[form.modulation(layer)], *synthesis = values[form.synthesis(layer)];
        const int pitch = inputs + kTaps * form.channels;
        const auto value = [&](int n, int k) {
            const int output = n % kWidth;
            if (output >= outputs || k >= inputs) return 0.0f;
            return n < kWidth ? modulation[output * pitch + k] : synthesis[output * inputs + k];
        };
        for (int tile = 0; tile < 4; ++tile) {
            pack_tile(forward_of(layer) + tile * kTileValues, [&](int k, int n) { return value(tile * kSide + n, k); });
            // Two chunks of outputs, for each two tiles of inputs.
            pack_tile(backward_of(layer) + tile * kTileValues,
                      [&](int k, int n) { return value(tile / 2 * kWidth + k, tile % 2 * kSide + n); });
        }
    }

    void pack_last(const float *weight, const float *b, int width) {
        for (int c = 0; c < kColours; ++c) {
            for (int n = 0; n < width; ++n) last[c * kWidth + n] = weight[c * width + n];
            last_bias[c] = b[c];
        }
        pack_tile(last_tile.data(), [&](int k, int n) { return n < kColours ? last[n * kWidth + k] : 0.0f; });
    }
};

// Sums over samples. products: of a layer, four units of 16 outputs by two tiles of 16 inputs.
struct DecoderGradients {
    explicit DecoderGradients(int layers)
        : products(layers * 8 * kTileSums), bias(layers * kWidth), position(kPositions * kWidth), last(kColours * kWidth),
          last_bias(4) {}

    esr::Buffer<float> products, bias, position, last, last_bias;

    float *products_of(int layer) { return products.data() + layer * 8 * kTileSums; }
    // Of output n (32 of modulation, 32 of synthesis) by input k.
    float product(int layer, int n, int k) const {
        return products[layer * 8 * kTileSums + (n / kSide * 2 + k / kSide) * kTileSums + n % kSide * kSide + k % kSide];
    }

    template <class Each>
    void each(DecoderGradients &other, const Each &apply) {
        pairwise(products, other.products, apply);
        pairwise(bias, other.bias, apply);
        pairwise(position, other.position, apply);
        pairwise(last, other.last, apply);
        pairwise(last_bias, other.last_bias, apply);
    }

private:
    template <class Each>
    static void pairwise(esr::Buffer<float> &mine, esr::Buffer<float> &theirs, const Each &apply) {
        for (std::size_t i = 0; i < mine.size(); ++i) apply(mine[i], theirs[i]);
    }
};

}  // namespace
