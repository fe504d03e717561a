// A layer's groups of channels in tiles: 16 rows of weights by 16 pairs of inputs, by as many pairs of 16 pixels. While the
// vector unit takes one group's sines, the tile unit multiplies the next.
#pragma once

#include "arch/x86/tiles.h"
#include "decoder/finish.h"

namespace {

constexpr bool kTiled = true;
constexpr int kTile = 16;
constexpr int kTileWords = kTile * kTile;

// Intrinsics take tiles by literal number only. held: the values, a single step of them, are in their tiles already.
template <int N>
ESR_INLINE void multiply_tiles(const Word *weights, const Word *values, int steps, bool held, Sums<kTile, N> &sums) {
    constexpr int kRow = kTile * sizeof(Word), kPitch = N * kRow;
    _tile_zero(0);
    if (N > 1) _tile_zero(1);
    if (N > 2) _tile_zero(2);
    for (int k = 0; k < steps; k += kTile, weights += kTileWords, values += N * kTileWords) {
        _tile_loadd(3, weights, kRow);
        if (!held) _tile_loadd(4, values, kPitch);
        _tile_dpbf16ps(0, 3, 4);
        if (N > 1) {
            if (!held) _tile_loadd(5, values + kTile, kPitch);
            _tile_dpbf16ps(1, 3, 5);
        }
        if (N > 2) {
            if (!held) _tile_loadd(6, values + 2 * kTile, kPitch);
            _tile_dpbf16ps(2, 3, 6);
        }
    }
    float *out = reinterpret_cast<float *>(sums);
    _tile_stored(0, out, kPitch);
    if (N > 1) _tile_stored(1, out + kTile, kPitch);
    if (N > 2) _tile_stored(2, out + 2 * kTile, kPitch);
}

// To be added to a group's sums: a row of copies for each of its rows.
struct BiasRows {
    const float *rows;

    ESR_INLINE Real operator()(int row, Real sum) const { return Vector::add(sum, Vector::load(rows + row * kTile)); }
};

template <bool Modulated, bool Near, int S, int N>
void run_groups(const Block<N> &block, const Layer &layer, const Word *in, Word *out) {
    alignas(64) Sums<kTile, N> sums[2];
    const auto products = [&](int group) {
        const int first = group * S;
        prefetch_group(block, layer.first_map + first, layer.width - first < S ? layer.width - first : S);
        multiply_tiles<N>(layer.weights + std::ptrdiff_t(group) * layer.steps * kTile, in, layer.steps,
                          group > 0 && layer.steps == kTile, sums[group & 1]);
    };
    products(0);
    for (int group = 0; group < layer.groups; ++group) {
        const int first = group * S, map = layer.first_map + first;
        const int present = layer.width - first < S ? layer.width - first : S;
        const BiasRows bias{layer.bias + group * kTileWords};
        if (group + 1 < layer.groups) products(group + 1);
        if (present == S)
            finish_group<Modulated, Near, S, kTile, N>(block, map, first, S, sums[group & 1], bias, out);
        else
            finish_group<Modulated, Near, S, kTile, N>(block, map, first, present, sums[group & 1], bias, out);
    }
}

}  // namespace
