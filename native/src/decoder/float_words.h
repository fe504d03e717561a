// Activations and weights as float32, one channel a word.
#pragma once

#include "decoder/kernel.h"
#include "decoder/sine.h"

namespace {

struct FloatWords {
    using F = Vector::F;
    using Value = F;
    static constexpr bool paired = false;

    static F load(const esr::Word *p) { return Vector::load(reinterpret_cast<const float *>(p)); }
    static F broadcast(const esr::Word *p) { return Vector::broadcast(*reinterpret_cast<const float *>(p)); }
    static F accumulate(F sum, F weight, F value) { return Vector::fma(weight, value, sum); }
    static F sine(F half_turns) { return full_sine(half_turns); }
    // Channel c (even) and its neighbour of one vector; `stride` words lie between channels.
    static void store_pair(esr::Word *out, int c, std::ptrdiff_t stride, F even, F odd) {
        float *p = reinterpret_cast<float *>(out + c * stride);
        Vector::store(p, even);
        Vector::store(p + stride, odd);
    }
};

using Words = FloatWords;

}  // namespace
