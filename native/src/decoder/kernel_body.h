// The decoder, written once for every processor: the including source has defined Vector (a vector of pixels), Words
// (how activations are stored), Stored (what maps hold), kModulatedRows and kPlainRows (channels of a group), run_groups and
// kTiled (whether weights come as tiles). A block of pixels goes through all layers before the next begins, so activations
// stay in the first-level cache.
#pragma once

#include "decoder/first_layer.h"
#include "decoder/layers.h"
#include "decoder/picture.h"

namespace {

using esr::kRowsTogether;
using esr::Network;
using esr::Request;
using esr::WorkItem;

// The same layer of several rows, one after another: tiles are not read while their values are still on the way to the cache.
template <int N, int kRows>
void run_block(const Network &network, const Request &request, int row, int vector, Word *scratch) {
    Word *in[kRows], *out[kRows];
    for (int r = 0; r < kRows; ++r) {
        in[r] = scratch + 2 * r * network.scratch_half;
        out[r] = in[r] + network.scratch_half;
        run_first_layer(Block<N>(request, row + r, vector), network.first, in[r]);
    }
    for (int i = 0; i < network.layers; ++i)
        for (int r = 0; r < kRows; ++r) {
            run_layer(Block<N>(request, row + r, vector), network.layer[i], in[r], out[r]);
            Word *finished = out[r];
            out[r] = in[r];
            in[r] = finished;
        }
    for (int r = 0; r < kRows; ++r) write_pixels(Block<N>(request, row + r, vector), network, in[r]);
}

// All output rows over one LR row follow each other while its content terms are in the cache.
template <int N>
void run_rows(const Network &network, const Request &request, const WorkItem &item, int vector, Word *scratch) {
    int row = item.row_begin;
    if constexpr (kTiled)
        for (; item.row_end - row >= kRowsTogether; row += kRowsTogether)
            run_block<N, kRowsTogether>(network, request, row, vector, scratch);
    for (; row < item.row_end; ++row) run_block<N, 1>(network, request, row, vector, scratch);
}

void run(const Network &network, const Request &request, const WorkItem &item, Word *scratch) {
    int vector = item.vector_begin;
    for (; item.vector_end - vector >= 3; vector += 3) run_rows<3>(network, request, item, vector, scratch);
    if (item.vector_end - vector == 2) run_rows<2>(network, request, item, vector, scratch);
    if (item.vector_end - vector == 1) run_rows<1>(network, request, item, vector, scratch);
}

void sines(const float *x, float *sine_out, float *cosine_out, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < n; i += kLanes) {
        Vector::store(sine_out + i, full_sine(Vector::load(x + i)));
        Vector::store(cosine_out + i, cosine(Vector::load(x + i)));
    }
}

constexpr esr::Kernel make_kernel(const char *name, bool (*supported)(), const esr::Kernel *bf16_maps = nullptr,
                                  void (*begin)() = nullptr, void (*end)() = nullptr) {
    return {name,  kLanes, kModulatedRows, kPlainRows,   Words::paired, kTiled, bf16_maps, supported,
            begin, end,    sines,          column_table, run};
}

}  // namespace
