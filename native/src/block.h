// N vectors of output pixels in one output row, and the LR values under them.
#pragma once

#include "kernel.h"

#if defined(_MSC_VER)
#define ESR_INLINE inline
#define ESR_PREFETCH(p) ((void)(p))
#else
#define ESR_INLINE inline __attribute__((always_inline))
#define ESR_PREFETCH(p) __builtin_prefetch(p)
#endif

namespace {

using Real = Vector::F;

constexpr int kLanes = Vector::lanes;

template <int N>
struct Block {
    const esr::Request &request;
    int row;
    int vector;
    const float *maps;  // channel 0 of the LR row under this output row
    bool near;

    ESR_INLINE Block(const esr::Request &r, int output_row, int first_vector)
        : request(r), row(output_row), vector(first_vector),
          maps(r.maps + std::ptrdiff_t(r.rows[output_row]) * r.width), near(true) {
        for (int n = 0; n < N; ++n) near = near && column(n).near;
    }
    ESR_INLINE const esr::ColumnVector &column(int n) const { return request.columns[vector + n]; }
    ESR_INLINE int first_pixel(int n) const { return (vector + n) * kLanes; }

    ESR_INLINE Real content(int channel, int n) const {
        return under(maps + channel * request.plane, request.pick + first_pixel(n), column(n).start);
    }
    // The values of an LR line under one vector. Indices count from start.
    ESR_INLINE Real under(const float *line, const std::int32_t *pick, int start) const {
        const Vector::I index = Vector::load_index(pick);
        return near ? Vector::pick(line + start, index) : Vector::gather(line + start, index);
    }
    // Planes are too far apart for any hardware prefetcher to follow.
    ESR_INLINE void prefetch(int channel) const {
        const float *plane = maps + channel * request.plane;
        for (int n = 0; n < N; ++n) ESR_PREFETCH(plane + column(n).start);
        ESR_PREFETCH(plane + column(N - 1).start + kLanes - 1);
    }
    ESR_INLINE void store_pair(esr::Word *out, int channel, int n, Real even, Real odd) const {
        Words::store_pair(out + n * kLanes, channel, N * kLanes, even, odd);
    }
};

}  // namespace
