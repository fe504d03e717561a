// Products of a few rows of weights with a block of pixels, summed in registers.
#pragma once

#include "decoder/block.h"

namespace {

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

}  // namespace
