// Layer 0: its input is the position alone, so its sines come from tables over rows and over columns.
#pragma once

#include "block.h"
#include "sine.h"

namespace {

using esr::FirstLayer;
using esr::Word;

// sin(a + b) = sin a cos b + cos a sin b, a depending on the row alone and b on the column alone.
template <int N>
ESR_INLINE Real first_channel(const Block<N> &block, int width, int channel, int n) {
    if (channel >= width) return Vector::broadcast(0.0f);
    const float *row = block.request.row_table + std::ptrdiff_t(block.row) * 2 * width + channel;
    const std::ptrdiff_t entry = std::ptrdiff_t(block.vector + n) * width + channel;
    const float *column = block.request.column_table + entry * 2 * kLanes;
    const Real part = Vector::mul(Vector::broadcast(row[width]), Vector::load(column));
    const Real wave = Vector::fma(Vector::broadcast(row[0]), Vector::load(column + kLanes), part);
    return Vector::mul(block.content(channel, n), wave);
}

template <int N>
void run_first_layer(const Block<N> &block, const FirstLayer &first, Word *out) {
    constexpr int ahead = 8;
    for (int c = 0; c < ahead && c < first.width; ++c) block.prefetch(c);
    for (int c = 0; c < first.width; c += 2) {
        for (int i = c + ahead; i < c + ahead + 2 && i < first.width; ++i) block.prefetch(i);
        for (int n = 0; n < N; ++n)
            block.store_pair(out, c, n, first_channel(block, first.width, c, n),
                             first_channel(block, first.width, c + 1, n));
    }
}

void column_table(const FirstLayer &first, const float *offset_x, int vectors, float *table) {
    for (int v = 0; v < vectors; ++v) {
        const Real offset = Vector::load(offset_x + v * kLanes);
        for (int c = 0; c < first.width; ++c, table += 2 * kLanes) {
            const Real x = Vector::mul(offset, Vector::broadcast(first.column_weight[c]));
            Vector::store(table, sine(x));
            Vector::store(table + kLanes, cosine(x));
        }
    }
}

}  // namespace
