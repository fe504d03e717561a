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

// The content terms of one group of channels under the block.
template <bool Near, int N>
struct Content {
    const Picker<Near, N> pick;
    const Stored *plane;
    const std::ptrdiff_t pitch;

    ESR_INLINE Content(const Block<N> &block, int channel)
        : pick(block), plane(block.maps + channel * block.request.plane), pitch(block.request.plane) {}
    ESR_INLINE Real operator()(int r, int n) const { return pick(plane + r * pitch, n); }
};

ESR_INLINE Real modulated(Real content, Real share, Real half_turns) {
    return Vector::mul(Vector::at_least(Vector::add(content, share), Vector::broadcast(0.0f)), sine(half_turns));
}

// Turns a group's sums into q. Sums hold S synthesis rows and, when Modulated, S modulation rows; the last group of a
// layer may have fewer channels, `present`, and its other rows become zero.
template <bool Modulated, bool Near, int S, int R, int N>
ESR_INLINE void finish_group(const Block<N> &block, int map, int first, int present, const Sums<R, N> &sums, Word *out) {
    const Content<Near, N> content(block, map);
#pragma GCC unroll 8
    for (int r = 0; r < S; r += 2)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
            Real q[2];
#pragma GCC unroll 2
            for (int i = 0; i < 2; ++i) {
                const Real zero = Vector::broadcast(0.0f);
                const Real k = r + i < present ? content(r + i, n) : zero;
                q[i] = Modulated ? modulated(k, sums[Modulated ? S + r + i : 0][n], sums[r + i][n])
                                 : Vector::mul(k, sine(sums[r + i][n]));
            }
            block.store_pair(out, first + r, n, q[0], q[1]);
        }
}

template <int N>
ESR_INLINE void prefetch_group(const Block<N> &block, int map, int present) {
    for (int r = 0; r < present; ++r) block.prefetch(map + r);
}

// A group of S channels: one synthesis row each, then, when Modulated, one modulation row each.
template <bool Modulated, bool Near, int S, int N>
ESR_INLINE void run_group(const Block<N> &block, const Layer &layer, int group, const Word *in, Word *out) {
    constexpr int R = Modulated ? 2 * S : S;
    const int first = group * S;
    const int map = layer.first_map + first;
    const int present = layer.width - first < S ? layer.width - first : S;
    prefetch_group(block, map, present);
    Sums<R, N> sums;
    start_from<R, N>(layer.bias + first, S, sums);
    multiply<R, N>(layer.weights + std::ptrdiff_t(group) * layer.steps * R, in, layer.steps, sums);
    // Two copies, so that whole groups run without a test in each channel.
    if (present == S)
        finish_group<Modulated, Near, S, R, N>(block, map, first, S, sums, out);
    else
        finish_group<Modulated, Near, S, R, N>(block, map, first, present, sums, out);
}

template <bool Modulated, bool Near, int S, int N>
void run_groups(const Block<N> &block, const Layer &layer, const Word *in, Word *out) {
    for (int group = 0; group < layer.groups; ++group)
        run_group<Modulated, Near, S, N>(block, layer, group, in, out);
}

template <int N>
void run_layer(const Block<N> &block, const Layer &layer, const Word *in, Word *out) {
    if (layer.modulated && block.near) return run_groups<true, true, kModulatedRows, N>(block, layer, in, out);
    if (layer.modulated) return run_groups<true, false, kModulatedRows, N>(block, layer, in, out);
    if (block.near) return run_groups<false, true, kPlainRows, N>(block, layer, in, out);
    run_groups<false, false, kPlainRows, N>(block, layer, in, out);
}

}  // namespace
