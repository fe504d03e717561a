// A convolution by its three products, in whatever operands: float32, pairs of bfloat16, fours of levels.
#pragma once

#include "encoder/products.h"
#include "encoder/rows.h"

namespace {

template <class Operand, int kChannels, int V>
ESR_NOINLINE void direct_group(const Convolution &c, const Strip &s, int row, int channel) {
    using Word = typename Operand::Word;
    constexpr int kPixels = kSums / V, kPitch = kChannels / Operand::word, kSteps = kTaps * kPitch;
    constexpr int kOuter = kSteps * V * kLanes;
    const Word *weights = static_cast<const Word *>(c.weights) + std::ptrdiff_t(channel) * kTaps * kSteps;
    const FinishPixels finish = finish_of<Operand::integer, V>(c);
    alignas(64) float pixels[kPixels * V * kLanes];
    for (int x = 0; x < s.width; x += kPixels) {
        Sums<Operand, kPixels, V> sums;
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j) {
            const typename Operand::Sum start = Operand::start(c, channel + j * kLanes);
#pragma GCC unroll 32
            for (int i = 0; i < kPixels; ++i) sums[i][j] = start;
        }
        for (int dy = 0; dy < kTaps; ++dy)
            multiply<Operand, kPixels, V, kPitch>(static_cast<const Word *>(s.in[row + dy]) + x * kPitch,
                                                  weights + dy * kOuter, kSteps, sums);
        store_sums<Operand, kPixels, V>(sums, pixels);
        finish(pixels, 0, kPixels, target_of(c, s, row, x, channel, V * kLanes));
    }
}

}  // namespace
