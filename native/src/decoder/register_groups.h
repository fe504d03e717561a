// A layer's groups of channels one after another: the register tile of a group by the block's vectors is summed in registers;
// only finished activations are stored.
#pragma once

#include "decoder/finish.h"

namespace {

constexpr bool kTiled = false;

// Sums have started from the biases.
struct Started {
    ESR_INLINE Real operator()(int, Real sum) const { return sum; }
};

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
    const auto nothing = [](auto) {};
    // Two copies, so that whole groups run without a test in each channel.
    if (present == S)
        finish_group<Modulated, Near, S, R, N>(block, map, first, S, sums, Started(), nothing, out);
    else
        finish_group<Modulated, Near, S, R, N>(block, map, first, present, sums, Started(), nothing, out);
}

template <bool Modulated, bool Near, int S, int N>
void run_groups(const Block<N> &block, const Layer &layer, const Word *in, Word *out) {
    for (int group = 0; group < layer.groups; ++group)
        run_group<Modulated, Near, S, N>(block, layer, group, in, out);
}

}  // namespace
