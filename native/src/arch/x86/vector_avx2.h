// Eight pixels a vector: AVX2 and FMA.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

struct Vector {
    using F = __m256;
    using I = __m256i;
    static constexpr int lanes = 8;
    static constexpr bool registers = true;  // whether F is a register
    static constexpr bool bf16 = false;
    static constexpr bool int16 = true;  // multiplies pairs of them, see levels_avx2.h

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
    static constexpr bool packs_pixels = false;
    static void store_rgb(std::uint32_t *p, F r, F g, F b) {
        const I green = _mm256_slli_epi32(_mm256_cvtps_epi32(g), 8);
        const I blue = _mm256_slli_epi32(_mm256_cvtps_epi32(b), 16);
        const I pixel = _mm256_or_si256(_mm256_or_si256(_mm256_cvtps_epi32(r), green), blue);
        _mm256_storeu_si256(reinterpret_cast<I *>(p), pixel);
    }

    static F from_integers(const float *p) { return _mm256_cvtepi32_ps(load_index(reinterpret_cast<const std::int32_t *>(p))); }
    static void store_levels(std::uint8_t *p, F v) {
        const I level = _mm256_cvtps_epi32(v);
        const __m128i pairs = _mm_packs_epi32(_mm256_castsi256_si128(level), _mm256_extracti128_si256(level, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i *>(p), _mm_packus_epi16(pairs, pairs));
    }
    static void store_words(std::int16_t *p, F v) {
        const I level = _mm256_cvtps_epi32(v);
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(level), _mm256_extracti128_si256(level, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(p), words);
    }
    static void store_value(float *p, F v) { store(p, v); }
    static void store_one(float *p, float v) { *p = v; }

    // Eight vectors as the rows of a square.
    static void transpose(F (&v)[lanes]) {
        F t[lanes];
#pragma GCC unroll 4
        for (int i = 0; i < lanes; i += 2) {
            t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
            t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
        }
#pragma GCC unroll 2
        for (int i = 0; i < lanes; i += 4) {
            v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
            v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
            v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
            v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
            t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
        }
        for (int i = 0; i < lanes; ++i) v[i] = t[i];
    }
};

}  // namespace
