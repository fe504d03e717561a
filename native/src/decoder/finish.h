// What follows a group's products: sine, content terms, modulation.
#pragma once

#include <utility>

#include "decoder/products.h"
#include "decoder/sine.h"

namespace {

using esr::Layer;

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
    return Vector::mul(Vector::at_least(Vector::add(content, share), Vector::broadcast(0.0f)), Words::sine(half_turns));
}

// Two channels of a group turned into q, see finish_group.
template <bool Modulated, bool Near, int S, int R, int N, class Biased>
ESR_INLINE void finish_pair(const Block<N> &block, const Content<Near, N> &content, int r, int first, int present,
                            const Sums<R, N> &sums, const Biased &biased, Word *out) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
        Real q[2];
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i) {
            const Real zero = Vector::broadcast(0.0f);
            const Real k = r + i < present ? content(r + i, n) : zero;
            const Real half_turns = biased(r + i, sums[r + i][n]);
            q[i] = Modulated ? modulated(k, sums[Modulated ? S + r + i : 0][n], half_turns)
                             : Vector::mul(k, Words::sine(half_turns));
        }
        block.store_pair(out, first + r, n, q[0], q[1]);
    }
}

template <bool Modulated, bool Near, int S, int R, int N, class Biased, class Between, int... kPair>
ESR_INLINE void finish_pairs(const Block<N> &block, const Content<Near, N> &content, int first, int present, const Sums<R, N> &sums,
                             const Biased &biased, const Between &between, Word *out, std::integer_sequence<int, kPair...>) {
    ((between(std::integral_constant<int, kPair>()),
      finish_pair<Modulated, Near, S, R, N>(block, content, 2 * kPair, first, present, sums, biased, out)),
     ...);
}

// Turns a group's sums into q. Sums hold S synthesis rows and, when Modulated, S modulation rows; the last group of a
// layer may have fewer channels, `present`, and its other rows become zero. biased(row, sum): with what sums do not start from;
// between(pair) comes before every two channels.
template <bool Modulated, bool Near, int S, int R, int N, class Biased, class Between>
ESR_INLINE void finish_group(const Block<N> &block, int map, int first, int present, const Sums<R, N> &sums, const Biased &biased,
                             const Between &between, Word *out) {
    const Content<Near, N> content(block, map);
    finish_pairs<Modulated, Near, S, R, N>(block, content, first, present, sums, biased, between, out,
                                           std::make_integer_sequence<int, S / 2>());
}

template <int N>
ESR_INLINE void prefetch_group(const Block<N> &block, int map, int present) {
    for (int r = 0; r < present; ++r) block.prefetch(map + r);
}

}  // namespace
