// One layer of the decoder over a block: products, sine, modulation. The including source has defined run_groups.
#pragma once

#include "decoder/finish.h"

namespace {

template <int N>
void run_layer(const Block<N> &block, const Layer &layer, const Word *in, Word *out) {
    if (layer.modulated && block.near) return run_groups<true, true, kModulatedRows, N>(block, layer, in, out);
    if (layer.modulated) return run_groups<true, false, kModulatedRows, N>(block, layer, in, out);
    if (block.near) return run_groups<false, true, kPlainRows, N>(block, layer, in, out);
    run_groups<false, false, kPlainRows, N>(block, layer, in, out);
}

}  // namespace
