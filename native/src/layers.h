// One layer of the decoder over a block: products, sine, modulation. The register tile of a group of channels by
// the block's vectors is summed in registers; only finished activations are stored.
#pragma once

#include "block.h"
#include "sine.h"

namespace {

using esr::Layer;
using esr::Word;

template <int R, int N>
using Sums = Real[R][N];

template <int R, int N>
ESR_INLINE void start_from(const float *bias, int rows, Sums<R, N> &sums) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sums[r][n] = r < rows ? Vector::broadcast(bias[r]) : Vector::broadcast(0.0f);
}

// sums += weights * values; the register tile of R rows by N vectors never leaves the registers.
template <int R, int N>
ESR_INLINE void multiply(const Word *weights, const Word *values, int steps, Sums<R, N> &sums) {
    for (int k = 0; k < steps; ++k, weights += R, values += N * kLanes) {
        Words::Value value[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) value[n] = Words::load(values + n * kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const Words::Value weight = Words::broadcast(weights + r);
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sums[r][n] = Words::accumulate(sums[r][n], weight, value[n]);
        }
    }
}

// q of one channel from its content term k and its sine's argument; zero beyond the layer's width.
template <int N>
ESR_INLINE Real modulated(const Block<N> &block, const Layer &layer, int channel, int n, Real share, Real argument) {
    if (channel >= layer.width) return Vector::broadcast(0.0f);
    Real k = block.content(layer.first_map + channel, n);
    if (layer.modulated) k = Vector::at_least(Vector::add(k, share), Vector::broadcast(0.0f));
    return Vector::mul(k, sine(argument));
}

template <int N>
ESR_INLINE void prefetch_group(const Block<N> &block, const Layer &layer, int channel, int rows) {
    const int end = channel + rows < layer.width ? channel + rows : layer.width;
    for (int c = channel; c < end; ++c) block.prefetch(layer.first_map + c);
}

// A group of S channels: one synthesis row each, then, when Modulated, one modulation row each.
template <bool Modulated, int S, int N>
ESR_INLINE void run_group(const Block<N> &block, const Layer &layer, int group, const Word *in, Word *out) {
    constexpr int R = Modulated ? 2 * S : S;
    const int first = group * S;
    prefetch_group(block, layer, first, S);
    Sums<R, N> sums;
    start_from<R, N>(layer.bias + first, S, sums);
    multiply<R, N>(layer.weights + std::ptrdiff_t(group) * layer.steps * R, in, layer.steps, sums);
#pragma GCC unroll 8
    for (int r = 0; r < S; r += 2)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
            const int share = Modulated ? S + r : r;
            block.store_pair(out, first + r, n, modulated(block, layer, first + r, n, sums[share][n], sums[r][n]),
                             modulated(block, layer, first + r + 1, n, sums[share + 1][n], sums[r + 1][n]));
        }
}

template <int N>
void run_layer(const Block<N> &block, const Layer &layer, const Word *in, Word *out) {
    for (int group = 0; group < layer.groups; ++group) {
        if (layer.modulated)
            run_group<true, kModulatedRows, N>(block, layer, group, in, out);
        else
            run_group<false, kPlainRows, N>(block, layer, group, in, out);
    }
}

}  // namespace
