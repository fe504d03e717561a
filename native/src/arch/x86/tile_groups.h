// A layer's groups of channels in tiles: 16 rows of weights by 16 pairs of inputs, by as many pairs of 16 pixels. While the
// vector unit takes one group's sines, the tile unit multiplies the next.
#pragma once

#include "arch/x86/tiles.h"
#include "decoder/finish.h"

namespace {

constexpr bool kTiled = true;
constexpr int kTile = 16;
constexpr int kTileWords = kTile * kTile;

// A group's products in parts, one for each vector of pixels, for the vector unit to have work between them.
template <int N>
struct TileProducts {
    static constexpr int row = kTile * sizeof(Word), pitch = N * row;

    const Word *weights;
    const Word *values;
    int steps;
    bool held;  // the values, a single step of them, are in their tiles already
    float *sums;

    // Intrinsics take tiles by literal number only.
    template <int kPart>
    ESR_INLINE void run() const {
        if (steps == kTile)
            single<kPart>();
        else if (kPart == 0)
            several();
    }

private:
    template <int kPart>
    ESR_INLINE void single() const {
        if constexpr (kPart == 0) {
            _tile_loadd(3, weights, row);
            if (!held) _tile_loadd(4, values, pitch);
            _tile_zero(0);
            _tile_dpbf16ps(0, 3, 4);
            _tile_stored(0, sums, pitch);
        } else if constexpr (kPart == 1 && N > 1) {
            if (!held) _tile_loadd(5, values + kTile, pitch);
            _tile_zero(1);
            _tile_dpbf16ps(1, 3, 5);
            _tile_stored(1, sums + kTile, pitch);
        } else if constexpr (kPart == 2 && N > 2) {
            if (!held) _tile_loadd(6, values + 2 * kTile, pitch);
            _tile_zero(2);
            _tile_dpbf16ps(2, 3, 6);
            _tile_stored(2, sums + 2 * kTile, pitch);
        }
    }

    ESR_INLINE void several() const {
        const Word *w = weights, *v = values;
        _tile_zero(0);
        if (N > 1) _tile_zero(1);
        if (N > 2) _tile_zero(2);
        for (int k = 0; k < steps; k += kTile, w += kTileWords, v += N * kTileWords) {
            _tile_loadd(3, w, row);
            _tile_loadd(4, v, pitch);
            _tile_dpbf16ps(0, 3, 4);
            if (N > 1) {
                _tile_loadd(5, v + kTile, pitch);
                _tile_dpbf16ps(1, 3, 5);
            }
            if (N > 2) {
                _tile_loadd(6, v + 2 * kTile, pitch);
                _tile_dpbf16ps(2, 3, 6);
            }
        }
        _tile_stored(0, sums, pitch);
        if (N > 1) _tile_stored(1, sums + kTile, pitch);
        if (N > 2) _tile_stored(2, sums + 2 * kTile, pitch);
    }
};

// To be added to a group's sums: a row of copies for each of its rows.
struct BiasRows {
    const float *rows;

    ESR_INLINE Real operator()(int row, Real sum) const { return Vector::add(sum, Vector::load(rows + row * kTile)); }
};

template <bool Modulated, bool Near, int S, int N>
void run_groups(const Block<N> &block, const Layer &layer, const Word *in, Word *out) {
    alignas(64) Sums<kTile, N> sums[2];
    const auto products_of = [&](int group) {
        return TileProducts<N>{layer.weights + std::ptrdiff_t(group) * layer.steps * kTile, in, layer.steps,
                               group > 0, reinterpret_cast<float *>(sums[group & 1])};
    };
    const auto present_of = [&](int group) { return layer.width - group * S < S ? layer.width - group * S : S; };
    prefetch_group(block, layer.first_map, present_of(0));
    const TileProducts<N> first = products_of(0);
    first.template run<0>();
    first.template run<1>();
    first.template run<2>();
    for (int group = 0; group < layer.groups; ++group) {
        const int channel = group * S, map = layer.first_map + channel, present = present_of(group);
        const BiasRows bias{layer.bias + group * kTileWords};
        const bool last = group + 1 == layer.groups;
        const TileProducts<N> next = products_of(last ? group : group + 1);
        if (!last) prefetch_group(block, map + S, present_of(group + 1));
        const auto between = [&](auto step) {
            if (!last) next.template run<step>();
        };
        if (present == S)
            finish_group<Modulated, Near, S, kTile, N>(block, map, channel, S, sums[group & 1], bias, between, out);
        else
            finish_group<Modulated, Near, S, kTile, N>(block, map, channel, present, sums[group & 1], bias, between, out);
    }
}

}  // namespace
