// N vectors of output pixels in one output row, and the LR values under them.
#pragma once

#include "common/inline.h"
#include "decoder/kernel.h"

namespace {

using Real = Vector::F;

constexpr int kLanes = Vector::lanes;

template <int N>
struct Block {
    const esr::Request &request;
    int row;
    int vector;
    const Stored *maps;  // channel 0 of the LR row under this output row
    bool near;

    ESR_INLINE Block(const esr::Request &r, int output_row, int first_vector)
        : request(r), row(output_row), vector(first_vector),
          maps(static_cast<const Stored *>(r.maps) + std::ptrdiff_t(r.rows[output_row]) * r.width), near(true) {
        for (int n = 0; n < N; ++n) near = near && column(n).near;
    }
    ESR_INLINE const esr::ColumnVector &column(int n) const { return request.columns[vector + n]; }
    ESR_INLINE int first_pixel(int n) const { return (vector + n) * kLanes; }

    // Planes are too far apart for any hardware prefetcher to follow.
    ESR_INLINE void prefetch(int channel) const {
        const Stored *plane = maps + channel * request.plane;
        for (int n = 0; n < N; ++n) ESR_PREFETCH(plane + column(n).start);
        ESR_PREFETCH(plane + column(N - 1).start + kLanes - 1);
    }
    ESR_INLINE void store_pair(esr::Word *out, int channel, int n, Real even, Real odd) const {
        Words::store_pair(out + n * kLanes, channel, N * kLanes, even, odd);
    }
};

// Indices of LR values under a block, and how to fetch by them; kept in registers by those who use it.
template <bool Near, int N>
struct Picker {
    Vector::I index[N];
    int start[N];

    ESR_INLINE explicit Picker(const Block<N> &block) {
        for (int n = 0; n < N; ++n) {
            index[n] = Vector::load_index(block.request.pick + block.first_pixel(n));
            start[n] = block.column(n).start;
        }
    }
    // The values of an LR line under vector n.
    ESR_INLINE Real operator()(const Stored *line, int n) const {
        return Near ? Vector::pick(line + start[n], index[n]) : Vector::gather(line + start[n], index[n]);
    }
};

}  // namespace
