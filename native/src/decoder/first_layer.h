// Layer 0: its input is the position alone, so its sines come from tables over rows and over columns.
#pragma once

#include "decoder/block.h"
#include "decoder/sine.h"

namespace {

using esr::FirstLayer;
using esr::Word;

// sin(a + b) = sin a cos b + cos a sin b, a depending on the row alone and b on the column alone.
template <int N>
struct Waves {
    const float *row;
    const float *column;
    const std::ptrdiff_t width;

    ESR_INLINE Waves(const Block<N> &block, int channels)
        : row(block.request.row_table + std::ptrdiff_t(block.row) * 2 * channels),
          column(block.request.column_table + std::ptrdiff_t(block.vector) * 2 * kLanes * channels), width(channels) {}
    ESR_INLINE Real operator()(int channel, int n) const {
        const float *entry = column + (n * width + channel) * 2 * kLanes;
        const Real part = Vector::mul(Vector::broadcast(row[width + channel]), Vector::load(entry));
        return Vector::fma(Vector::broadcast(row[channel]), Vector::load(entry + kLanes), part);
    }
};

template <bool Near, int N>
void run_waves(const Block<N> &block, int channels, Word *out) {
    constexpr int ahead = 8;
    const Waves<N> wave(block, channels);
    const Picker<Near, N> pick(block);
    const std::ptrdiff_t plane = block.request.plane;
    for (int c = 0; c < channels; c += 2) {
        for (int i = c + ahead; i < c + ahead + 2 && i < channels; ++i) block.prefetch(i);
        for (int n = 0; n < N; ++n) {
            const Real even = Vector::mul(pick(block.maps + c * plane, n), wave(c, n));
            // An odd width leaves half a pair, which has to be zero.
            const Real odd = c + 1 < channels ? Vector::mul(pick(block.maps + (c + 1) * plane, n), wave(c + 1, n))
                                              : Vector::broadcast(0.0f);
            block.store_pair(out, c, n, even, odd);
        }
    }
}

template <int N>
void run_first_layer(const Block<N> &block, const FirstLayer &first, Word *out) {
    if (block.near)
        run_waves<true, N>(block, first.width, out);
    else
        run_waves<false, N>(block, first.width, out);
}

void column_table(const FirstLayer &first, const float *offset_x, int vectors, float *table) {
    for (int v = 0; v < vectors; ++v) {
        const Real offset = Vector::load(offset_x + v * kLanes);
        for (int c = 0; c < first.width; ++c, table += 2 * kLanes) {
            const Real x = Vector::mul(offset, Vector::broadcast(first.column_weight[c]));
            Vector::store(table, full_sine(x));
            Vector::store(table + kLanes, cosine(x));
        }
    }
}

}  // namespace
