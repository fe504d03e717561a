// Eight pixels a vector: AVX2 and FMA.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

struct Vector {
    using F = __m256;
    using I = __m256i;
    static constexpr int lanes = 8;

    static F load(const float *p) { return _mm256_loadu_ps(p); }
    static void store(float *p, F v) { _mm256_storeu_ps(p, v); }
    static F broadcast(float x) { return _mm256_set1_ps(x); }
    static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
    static F add(F a, F b) { return _mm256_add_ps(a, b); }
    static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
    // The bound comes second: x86 returns it when the value is NaN.
    static F at_least(F v, F bound) { return _mm256_max_ps(v, bound); }
    static F at_most(F v, F bound) { return _mm256_min_ps(v, bound); }

    static I load_index(const std::int32_t *p) { return _mm256_loadu_si256(reinterpret_cast<const I *>(p)); }
    static F pick(const float *p, I index) { return _mm256_permutevar8x32_ps(load(p), index); }
    static F gather(const float *p, I index) { return _mm256_i32gather_ps(p, index, 4); }

    // v negated where the lowest bit of t is set.
    static F flip(F v, F t) {
        return _mm256_xor_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 31)));
    }
    static void store_rgb(std::uint32_t *p, F r, F g, F b) {
        const I green = _mm256_slli_epi32(_mm256_cvtps_epi32(g), 8);
        const I blue = _mm256_slli_epi32(_mm256_cvtps_epi32(b), 16);
        const I pixel = _mm256_or_si256(_mm256_or_si256(_mm256_cvtps_epi32(r), green), blue);
        _mm256_storeu_si256(reinterpret_cast<I *>(p), pixel);
    }
};

}  // namespace
