// Pixels of channels as products over pixels need them: planes of pixels to the left, pairs of pixels to the right.
#pragma once

#include "arch/x86/training/tiles.h"

namespace {

// Two rows of words, each two channels of an even or an odd pixel, as two planes of pixels.
ESR_INLINE void store_planes(Bf16 *even_plane, Bf16 *odd_plane, Real even, Real odd) {
    const __m512i low = _mm512_castps_si512(even), high = _mm512_castps_si512(odd);
    const __m512i first = _mm512_mask_blend_epi16(0xaaaaaaaau, low, _mm512_slli_epi32(high, 16));
    const __m512i second = _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(low, 16), high);
    _mm512_storeu_si512(even_plane, first);
    _mm512_storeu_si512(odd_plane, second);
}

// 32 pixels of 32 channels, `pitch` values apart, to 32 planes `stride` values apart.
inline void transpose_wide(const Bf16 *in, std::ptrdiff_t pitch, Bf16 *planes, std::ptrdiff_t stride) {
    Real even[kSide], odd[kSide];
#pragma GCC unroll 16
    for (int row = 0; row < kSide; ++row) {
        even[row] = Vector::load(reinterpret_cast<const float *>(in + 2 * row * pitch));
        odd[row] = Vector::load(reinterpret_cast<const float *>(in + (2 * row + 1) * pitch));
    }
    Vector::transpose(even);
    Vector::transpose(odd);
#pragma GCC unroll 16
    for (int word = 0; word < kSide; ++word)
        store_planes(planes + 2 * word * stride, planes + (2 * word + 1) * stride, even[word], odd[word]);
}

// The same of 16 channels, whose pixels lie one after another.
inline void transpose_narrow(const Bf16 *in, Bf16 *planes, std::ptrdiff_t stride) {
    Real pairs[kSide];
#pragma GCC unroll 16
    for (int row = 0; row < kSide; ++row) pairs[row] = Vector::load(reinterpret_cast<const float *>(in + row * kDepth));
    Vector::transpose(pairs);
#pragma GCC unroll 8
    for (int word = 0; word < kSide / 2; ++word)
        store_planes(planes + 2 * word * stride, planes + (2 * word + 1) * stride, pairs[word], pairs[word + kSide / 2]);
}

// `count` pixels, a multiple of 32, of `channels`, 16 or a multiple of 32.
inline void to_planes(const Bf16 *in, int channels, int count, Bf16 *planes, std::ptrdiff_t stride) {
    for (int i = 0; i < count; i += kDepth) {
        if (channels == kSide) transpose_narrow(in + std::ptrdiff_t(i) * channels, planes + i, stride);
        for (int c = 0; c + kDepth <= channels; c += kDepth)
            transpose_wide(in + std::ptrdiff_t(i) * channels + c, channels, planes + c * stride + i, stride);
    }
}

// Pairs of pixels, channel by channel; adds the pixels' sum to `sums`, one for each channel.
inline void to_pairs(const Bf16 *in, int channels, int count, Bf16 *pairs, float *sums) {
    const __m512bh ones = (__m512bh)_mm512_set1_epi32(0x3f803f80);
    for (int c = 0; c < channels; c += kSide) {
        Real sum = _mm512_setzero_ps();
        for (int i = 0; i < count; i += 2) {
            const Bf16 *even = in + std::ptrdiff_t(i) * channels + c, *odd = even + channels;
            const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(even)));
            const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(odd)));
            const __m512i pair = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
            _mm512_storeu_si512(pairs + std::ptrdiff_t(i) * channels + 2 * c, pair);
            sum = _mm512_dpbf16_ps(sum, (__m512bh)pair, ones);
        }
        Vector::store(sums + c, Vector::add(Vector::load(sums + c), sum));
    }
}

}  // namespace
