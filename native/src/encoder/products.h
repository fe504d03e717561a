// Sums of products that stay in registers: a few pixels by a group's channels, the weights of a step loaded once for all
// of the pixels.
#pragma once

#include "encoder/finish.h"

namespace {

// Float32 on either side; other operands offer the same.
struct FloatOperand {
    using Word = float;  // values of one step that lie side by side
    using Sum = Vector::F;
    using Value = Vector::F;
    static constexpr int word = 1;
    static constexpr bool integer = false;

    static ESR_INLINE Value broadcast(const Word *p) { return Vector::broadcast(*p); }
    static ESR_INLINE Value weights(const Word *p) { return Vector::load(p); }
    static ESR_INLINE void accumulate(Sum &sum, Value value, Value weight) { sum = Vector::fma(value, weight, sum); }
    static ESR_INLINE Sum start(const Convolution &c, int channel) { return Vector::load(c.bias + channel); }
    static ESR_INLINE void store(float *p, Sum sum) { Vector::store(p, sum); }
};

template <class Operand, int kPixels, int V>
using Sums = typename Operand::Sum[kPixels][V];

// sums += `steps` words of weights by as many of each pixel; pixels are kPitch words apart. Whatever is fewer, pixels
// or vectors of channels, is what stays in registers beside the sums.
template <class Operand, int kPixels, int V, int kPitch>
ESR_INLINE void multiply(const typename Operand::Word *values, const typename Operand::Word *weights, int steps,
                         Sums<Operand, kPixels, V> &sums) {
    constexpr int kVector = kLanes;
    for (int k = 0; k < steps; ++k, ++values, weights += V * kVector) {
        if (kPixels <= V) {
            typename Operand::Value value[kPixels];
#pragma GCC unroll 32
            for (int i = 0; i < kPixels; ++i) value[i] = Operand::broadcast(values + i * kPitch);
#pragma GCC unroll 8
            for (int j = 0; j < V; ++j) {
                const typename Operand::Value weight = Operand::weights(weights + j * kVector);
#pragma GCC unroll 32
                for (int i = 0; i < kPixels; ++i) Operand::accumulate(sums[i][j], value[i], weight);
            }
        } else {
            typename Operand::Value weight[V];
#pragma GCC unroll 8
            for (int j = 0; j < V; ++j) weight[j] = Operand::weights(weights + j * kVector);
#pragma GCC unroll 32
            for (int i = 0; i < kPixels; ++i) {
                const typename Operand::Value value = Operand::broadcast(values + i * kPitch);
#pragma GCC unroll 8
                for (int j = 0; j < V; ++j) Operand::accumulate(sums[i][j], value, weight[j]);
            }
        }
    }
}

template <class Operand, int kPixels, int V>
ESR_INLINE void store_sums(const Sums<Operand, kPixels, V> &sums, float *out) {
#pragma GCC unroll 32
    for (int i = 0; i < kPixels; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j) Operand::store(out + (i * V + j) * kLanes, sums[i][j]);
}

}  // namespace
