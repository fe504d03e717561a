// Weights as the right sides of products: for each chunk of 32 inputs, for each 16 outputs, pairs of inputs.
#pragma once

#include "arch/x86/training/tiles.h"
#include "common/buffer.h"
#include "training/form.h"

namespace {

using namespace esr::training;

// One tile from value(input, output), inputs 0 to 31, outputs 0 to 15.
template <class Value>
void pack_tile(Bf16 *tile, const Value &value) {
    for (int pair = 0; pair < kDepth / 2; ++pair) {
        float even[kSide], odd[kSide];
        for (int n = 0; n < kSide; ++n) {
            even[n] = value(2 * pair, n);
            odd[n] = value(2 * pair + 1, n);
        }
        const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(Vector::load(even)));
        const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(Vector::load(odd)));
        _mm512_storeu_si512(tile + pair * kDepth, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

// The chunks of a 3 x 3 convolution of `inputs` channels, a multiple of 32, or 16: two neighbouring pixels at once then.
struct Chunks {
    int inputs, parts;

    explicit Chunks(int inputs_) : inputs(inputs_), parts(inputs_ == kSide ? 2 : inputs_ / kDepth) {}
    int count() const { return inputs == kSide ? 3 * parts : kTaps * parts; }
    // Where a chunk begins, in values from a pixel's first.
    std::ptrdiff_t offset(int chunk, const Geometry &g) const {
        if (inputs == kSide) return std::ptrdiff_t((chunk / 2 - 1) * g.pitch + (chunk % 2 ? 1 : -1)) * kSide;
        return std::ptrdiff_t(g.tap(chunk / parts)) * inputs + chunk % parts * kDepth;
    }
    // Pairs of values that have weights.
    int pairs(int chunk) const { return inputs == kSide && chunk % 2 ? kSide / 2 : kDepth / 2; }
    int tap(int chunk, int k) const {
        if (inputs != kSide) return chunk / parts;
        const int column = chunk % 2 * 2 + k / kSide;
        return column < 3 ? chunk / 2 * 3 + column : -1;
    }
    int channel(int chunk, int k) const { return inputs == kSide ? k % kSide : chunk % parts * kDepth + k; }
};

// value(output, input, tap) of a whole convolution; `outputs` a multiple of 16.
template <class Value>
void pack_convolution(Bf16 *out, int inputs, int outputs, const Value &value) {
    const Chunks chunks(inputs);
    const int tiles = outputs / kSide;
    for (int chunk = 0; chunk < chunks.count(); ++chunk)
        for (int tile = 0; tile < tiles; ++tile)
            pack_tile(out + (chunk * tiles + tile) * kTileValues, [&](int k, int n) {
                const int tap = chunks.tap(chunk, k);
                return tap < 0 ? 0.0f : value(tile * kSide + n, chunks.channel(chunk, k), tap);
            });
}

inline std::size_t packed_size(int inputs, int outputs) {
    return std::size_t(Chunks(inputs).count()) * (outputs / kSide) * kTileValues;
}

}  // namespace
