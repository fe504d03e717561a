// Activations and weights as bfloat16, two neighbouring channels a word; products are summed in float32.
#pragma once

#include "decoder/kernel.h"
#include "decoder/sine.h"

namespace {

struct PairWords {
    using Value = __m512i;
    static constexpr bool paired = true;

    static Value load(const esr::Word *p) { return _mm512_loadu_si512(p); }
    static Value broadcast(const esr::Word *p) { return _mm512_set1_epi32(static_cast<int>(*p)); }
    static __m512 accumulate(__m512 sum, Value weight, Value value) {
        return _mm512_dpbf16_ps(sum, (__m512bh)weight, (__m512bh)value);
    }
    static void store_pair(esr::Word *out, int c, std::ptrdiff_t stride, __m512 even, __m512 odd) {
        const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
        _mm512_storeu_si512(out + (c / 2) * stride, _mm512_permutexvar_epi16(interleaved(), halves));
    }

    // sin(pi t), off by less than 7e-6, which bfloat16 does not tell from exact. On [-1, 1], a whole turn, it is t (1 - t^2)
    // times a polynomial, so that no sign has to be put back.
    static __m512 sine(__m512 t) {
        const __m512 rounder = _mm512_set1_ps(kRounder);
        const __m512 turns = _mm512_sub_ps(_mm512_fmadd_ps(t, _mm512_set1_ps(0.5f), rounder), rounder);
        const __m512 r = _mm512_fmadd_ps(turns, _mm512_set1_ps(-2.0f), t), z = _mm512_mul_ps(r, r);
        __m512 p = _mm512_fmadd_ps(z, _mm512_set1_ps(-0.06368978321552277f), _mm512_set1_ps(0.5174912214279175f));
        p = _mm512_fmadd_ps(z, p, _mm512_set1_ps(-2.024773120880127f));
        p = _mm512_fmadd_ps(z, p, _mm512_set1_ps(3.1415212154388428f));
        return _mm512_mul_ps(_mm512_fnmadd_ps(z, r, r), p);
    }

private:
    // Lane i takes half i (even channel) and half 16 + i (odd channel).
    static __m512i interleaved() {
        const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_add_epi32(low, _mm512_set1_epi32(16)), 16));
    }
};

using Words = PairWords;

}  // namespace
