// Fours of levels, uint8 activations by int8 weights, and pairs of 16 bits, summed in int32 (AVX-VNNI).
#pragma once

#include "encoder/products.h"

namespace {

struct Int8Operand {
    using Word = std::int32_t;
    using Sum = __m256i;
    using Value = __m256i;
    static constexpr int word = 4;
    static constexpr bool integer = true;

    static ESR_INLINE Value broadcast(const Word *p) { return _mm256_set1_epi32(*p); }
    static ESR_INLINE Value weights(const Word *p) { return Vector::load_index(p); }
    static ESR_INLINE void accumulate(Sum &sum, Value value, Value weight) {
        asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(value), "x"(weight));
    }
    static ESR_INLINE Sum start(const Convolution &c, int channel) { return Vector::load_index(c.start + channel); }
    static ESR_INLINE void store(float *p, Sum sum) { _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), sum); }
};

struct Int16Operand : Int8Operand {
    static constexpr int word = 2;

    static ESR_INLINE void accumulate(Sum &sum, Value value, Value weight) {
        asm("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(value), "x"(weight));
    }
};

}  // namespace
