// What becomes of a block's sums, four vectors at a time: two pixels of 32 channels, or four of 16.
#pragma once

#include "arch/x86/tile_blocks.h"

namespace {

constexpr int kFour = 4, kFours = kBlockValues / (kFour * kLanes);

// What holds for all blocks of a group of channels.
template <int V>
struct Constants {
    Real bias[V], scale[V];
    Real floor, factor, zero;

    ESR_INLINE Constants(const Convolution &c, int channel)
        : floor(Vector::broadcast(c.floor)), factor(Vector::broadcast(c.to_levels)), zero(Vector::broadcast(c.zero)) {
        for (int j = 0; j < V; ++j) {
            const int at = channel + j * kLanes;
            bias[j] = c.start ? Vector::load(reinterpret_cast<const float *>(c.start) + at) : Vector::load(c.bias + at);
            scale[j] = c.start ? Vector::load(c.scale + at) : Vector::broadcast(1.0f);
        }
    }
};

// A block's sums with the bias, in float32.
template <bool kInt8>
ESR_INLINE Real value_of(const float *sums, Real bias, Real scale) {
    if constexpr (!kInt8) return Vector::add(Vector::load(sums), bias);
    const __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(sums), _mm512_castps_si512(bias));
    return Vector::mul(_mm512_cvtepi32_ps(sum), scale);
}

// Sixty-four neighbouring levels. Saturating twice gives the same as being cut to 0 and 255.
ESR_INLINE __m512i levels_of(const Real (&v)[kFour], Real factor, Real zero) {
    __m512i level[kFour];
#pragma GCC unroll 4
    for (int j = 0; j < kFour; ++j) level[j] = _mm512_cvtps_epi32(Vector::fma(v[j], factor, zero));
    const __m512i words = _mm512_packus_epi16(_mm512_packs_epi32(level[0], level[1]), _mm512_packs_epi32(level[2], level[3]));
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), words);
}

// Where a block's results go: its first pixel and channel; pitch: values a pixel.
struct Place {
    char *out;
    const float *addend;
    float *sum;
    std::ptrdiff_t pitch;
};

// kWhole: pixels have no channels but the block's.
template <int V, bool kWhole>
ESR_INLINE std::ptrdiff_t offset_of(const Place &place, int vector) {
    if constexpr (kWhole) return vector * kLanes;
    return vector / V * place.pitch + vector % V * kLanes;
}

template <Format kOut, int V, bool kWhole>
ESR_INLINE void store_four(const Real (&v)[kFour], const Constants<V> &k, const Place &place, int first) {
    const std::ptrdiff_t at = offset_of<V, kWhole>(place, first), next = offset_of<V, kWhole>(place, first + 2);
    if constexpr (kOut == Format::Bf16) {
        _mm512_storeu_si512(place.out + 2 * at, (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
        _mm512_storeu_si512(place.out + 2 * next, (__m512i)_mm512_cvtne2ps_pbh(v[3], v[2]));
    } else if constexpr (kOut == Format::Int8) {
        const __m512i levels = levels_of(v, k.factor, k.zero);
        if constexpr (kWhole) {
            _mm512_storeu_si512(place.out + at, levels);
        } else {
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(place.out + at), _mm512_castsi512_si256(levels));
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(place.out + next), _mm512_extracti64x4_epi64(levels, 1));
        }
    }
}

template <bool kInt8, Finish kFinish, Format kOut, int V, bool kWhole>
ESR_INLINE void finish_four(const float *sums, const Constants<V> &k, const Place &place, int four) {
    Real v[kFour];
#pragma GCC unroll 4
    for (int j = 0; j < kFour; ++j) {
        const int vector = four * kFour + j;
        const std::ptrdiff_t at = offset_of<V, kWhole>(place, vector);
        v[j] = value_of<kInt8>(sums + vector * kLanes, k.bias[j % V], k.scale[j % V]);
        if (kFinish == Finish::Clip) v[j] = Vector::at_least(v[j], k.floor);
        if (kFinish == Finish::Add) v[j] = Vector::add(v[j], Vector::load(place.addend + at));
        if (kFinish != Finish::Clip) Vector::store(place.sum + at, v[j]);
    }
    store_four<kOut, V, kWhole>(v, k, place, four * kFour);
}

}  // namespace
