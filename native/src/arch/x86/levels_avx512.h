// Fours of levels, uint8 activations by int8 weights, and pairs of 16 bits, summed in int32 (AVX512-VNNI).
#pragma once

#include "encoder/products.h"

namespace {

struct Int8Operand {
    using Word = std::int32_t;
    using Sum = __m512i;
    using Value = __m512i;
    static constexpr int word = 4;
    static constexpr bool integer = true;

    static ESR_INLINE Value broadcast(const Word *p) { return _mm512_set1_epi32(*p); }
    static ESR_INLINE Value weights(const Word *p) { return _mm512_loadu_si512(p); }
    // Not the intrinsic: GCC copies every sum before it, and spills. Assemblers know it without a compiler's flag.
    static ESR_INLINE void accumulate(Sum &sum, Value value, Value weight) {
        asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(value), "v"(weight));
    }
    static ESR_INLINE Sum start(const Convolution &c, int channel) { return _mm512_loadu_si512(c.start + channel); }
    static ESR_INLINE void store(float *p, Sum sum) { _mm512_storeu_si512(p, sum); }
};

struct Int16Operand : Int8Operand {
    static constexpr int word = 2;

    static ESR_INLINE void accumulate(Sum &sum, Value value, Value weight) {
        asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(value), "v"(weight));
    }
};

}  // namespace
