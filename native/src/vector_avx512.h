// Sixteen pixels a vector: AVX-512 F, BW, DQ, VL.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernel.h"


namespace {

struct Vector {
    using F = __m512;
    using I = __m512i;
    static constexpr int lanes = 16;

    static F load(const float *p) { return _mm512_loadu_ps(p); }
    static void store(float *p, F v) { _mm512_storeu_ps(p, v); }
    static F broadcast(float x) { return _mm512_set1_ps(x); }
    static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
    static F add(F a, F b) { return _mm512_add_ps(a, b); }
    static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
    // The bound comes second: x86 returns it when the value is NaN.
    static F at_least(F v, F bound) { return _mm512_max_ps(v, bound); }
    static F at_most(F v, F bound) { return _mm512_min_ps(v, bound); }

    static I load_index(const std::int32_t *p) { return _mm512_loadu_si512(p); }
    static F pick(const float *p, I index) { return _mm512_permutexvar_ps(index, load(p)); }
    static F gather(const float *p, I index) { return _mm512_i32gather_ps(index, p, 4); }

    static F pick(const esr::Half *p, I index) {
        const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p));
        return _mm512_permutexvar_ps(index, widen(_mm512_cvtepu16_epi32(halves)));
    }
    static F gather(const esr::Half *p, I index) {
        std::int32_t place[lanes], halves[lanes];
        _mm512_storeu_si512(place, index);
        for (int i = 0; i < lanes; ++i) halves[i] = p[place[i]].bits;
        return widen(load_index(halves));
    }

    // v negated where the lowest bit of t is set.
    static F flip(F v, F t) {
        const I sign = _mm512_slli_epi32(_mm512_castps_si512(t), 31);
        return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(v), sign));
    }
    static void store_rgb(std::uint32_t *p, F r, F g, F b) {
        const I green = _mm512_slli_epi32(_mm512_cvtps_epi32(g), 8);
        const I blue = _mm512_slli_epi32(_mm512_cvtps_epi32(b), 16);
        _mm512_storeu_si512(p, _mm512_or_si512(_mm512_or_si512(_mm512_cvtps_epi32(r), green), blue));
    }

private:
    // The upper half of a float32 is its bfloat16.
    static F widen(I halves) { return _mm512_castsi512_ps(_mm512_slli_epi32(halves, 16)); }
};

}  // namespace
