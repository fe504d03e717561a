// One sample's three colours: the base image, the error, and what comes back of it.
#pragma once

#include "arch/x86/training/tiles.h"

namespace {

using Colours = __m128;  // the fourth is zero

constexpr float kLuma[3] = {65.481f / 219, 128.553f / 219, 24.966f / 219};

// How the error counts: see edge_sr/training/loss.py.
struct Criterion {
    float luma_share;
    bool absolute;
};

ESR_INLINE Colours magnitude(Colours v) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), v); }

// What lies between a pixel and its neighbour along one axis; offset in half pixels.
ESR_INLINE Colours between(Colours here, Colours far, float offset) {
    return _mm_fmadd_ps(_mm_sub_ps(far, here), _mm_set1_ps(0.5f * (offset < 0 ? -offset : offset)), here);
}

ESR_INLINE Colours along(const float *pixel, float offset) {
    return between(_mm_loadu_ps(pixel), _mm_loadu_ps(pixel + (offset > 0 ? 4 : -4)), offset);
}

// Bilinear, from a pixel of four floats among rows of `pitch` pixels, edges repeated.
ESR_INLINE Colours base_at(const float *pixel, std::ptrdiff_t pitch, float y, float x) {
    const float *far = pixel + (y > 0 ? 4 * pitch : -4 * pitch);
    return between(along(pixel, x), along(far, x), y);
}

ESR_INLINE float sum_of(Colours v) {
    const Colours pairs = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(pairs, _mm_shuffle_ps(pairs, pairs, 1)));
}

// The error's share of the loss, and half its derivative by the error in [0, 1]: that by a network's output in [-1, 1].
struct Counted {
    float loss;
    Colours gradient;
};

ESR_INLINE Counted count_error(Colours error, float weight, const Criterion &criterion) {
    const Colours luma = _mm_setr_ps(kLuma[0], kLuma[1], kLuma[2], 0);
    const float level = sum_of(_mm_mul_ps(error, luma)), share = criterion.luma_share;
    const float colour = (1 - share) / 3;
    if (criterion.absolute) {
        const Colours sign = _mm_or_ps(_mm_and_ps(error, _mm_set1_ps(-0.0f)), _mm_set1_ps(1.0f));
        const Colours colours = _mm_and_ps(sign, _mm_cmpneq_ps(error, _mm_setzero_ps()));
        const float side = level > 0 ? 1.0f : level < 0 ? -1.0f : 0.0f;
        const Colours both = _mm_fmadd_ps(luma, _mm_set1_ps(share * side), _mm_mul_ps(colours, _mm_set1_ps(colour)));
        const float loss = colour * sum_of(magnitude(error)) + share * level * side;
        return {weight * loss, _mm_mul_ps(both, _mm_set1_ps(0.5f * weight))};
    }
    const Colours both = _mm_fmadd_ps(luma, _mm_set1_ps(share * level), _mm_mul_ps(error, _mm_set1_ps(colour)));
    const float loss = colour * sum_of(_mm_mul_ps(error, error)) + share * level * level;
    return {weight * loss, _mm_mul_ps(both, _mm_set1_ps(weight))};
}

}  // namespace
