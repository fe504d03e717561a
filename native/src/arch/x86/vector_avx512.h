// Sixteen pixels a vector: AVX-512 F, BW, DQ, VL.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "common/bf16.h"
#include "common/inline.h"

namespace {

struct Vector {
    using F = __m512;
    using I = __m512i;
    static constexpr int lanes = 16;
    static constexpr bool registers = true;  // whether F is a register
#if defined(__AVX512BF16__)
    static constexpr bool bf16 = true;
#else
    static constexpr bool bf16 = false;
#endif
    static constexpr bool int16 = true;  // multiplies pairs of them, see levels_avx512.h

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

    static F pick(const esr::Bf16 *p, I index) {
        // Each half goes to the upper part of its lane, where it is the float32 itself.
        const __m512i halves = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
        return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaau, _mm512_slli_epi32(index, 16), halves));
    }
    // Rare, and long where it stands in place.
    static ESR_NOINLINE F gather(const esr::Bf16 *p, I index) {
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
    static constexpr bool packs_pixels = true;
    // The first `pixels` of sixteen, three bytes each.
    static void store_pixels(std::uint8_t *p, F r, F g, F b, int pixels) {
        const I green = _mm512_slli_epi32(_mm512_cvtps_epi32(g), 8);
        const I blue = _mm512_slli_epi32(_mm512_cvtps_epi32(b), 16);
        const I words = _mm512_or_si512(_mm512_or_si512(_mm512_cvtps_epi32(r), green), blue);
        const I threes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
        const I joined = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
        const I bytes = _mm512_permutexvar_epi32(joined, _mm512_shuffle_epi8(words, threes));
        _mm512_mask_storeu_epi8(p, (1ull << (3 * pixels)) - 1, bytes);
    }

    static F from_integers(const float *p) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(p)); }
    static void store_levels(std::uint8_t *p, F v) {
        const I level = _mm512_max_epi32(_mm512_cvtps_epi32(v), _mm512_setzero_si512());
        _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm512_cvtusepi32_epi8(level));
    }
    static void store_words(std::int16_t *p, F v) {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(v)));
    }
    static void store_value(float *p, F v) { store(p, v); }
    static void store_one(float *p, float v) { *p = v; }
#if defined(__AVX512BF16__)
    static void store_value(esr::Bf16 *p, F v) {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), (__m256i)_mm512_cvtneps_pbh(v));
    }
    static void store_one(esr::Bf16 *p, float v) {
        p->bits = std::uint16_t(_mm_cvtsi128_si32((__m128i)_mm_cvtneps_pbh(_mm_set_ss(v))));
    }
    static void store_bf16(esr::Bf16 *p, const F (&v)[1]) { store_value(p, v[0]); }
    static void store_bf16(esr::Bf16 *p, const F (&v)[2]) {
        _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
    }
#endif

    // Sixteen vectors as the rows of a square: pairs, fours, then halves of each.
    static void transpose(F (&v)[lanes]) {
        F t[lanes];
#pragma GCC unroll 8
        for (int i = 0; i < lanes; i += 2) {
            t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
            t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < lanes; i += 4) {
            v[i] = low(t[i], t[i + 2]);
            v[i + 1] = high(t[i], t[i + 2]);
            v[i + 2] = low(t[i + 1], t[i + 3]);
            v[i + 3] = high(t[i + 1], t[i + 3]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
            t[i + 4] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
            t[i + 8] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
            t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            v[i] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
            v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
            v[i + 4] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
            v[i + 12] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        }
    }

private:
    static F low(F a, F b) {
        return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
    }
    static F high(F a, F b) {
        return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
    }
    // The upper half of a float32 is its bfloat16.
    static F widen(I halves) { return _mm512_castsi512_ps(_mm512_slli_epi32(halves, 16)); }
};

}  // namespace
