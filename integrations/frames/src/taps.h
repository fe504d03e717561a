/* The filter that moves chroma between grids: swscale's bicubic, in its integers, so that both give the same codes. */
#pragma once

#include <cstdint>
#include <vector>

#include "picture.h"

namespace edgesr {

/* For each output, `size` coefficients that sum to a power of two, from source index `first` on. */
struct Taps {
    int size = 1;
    std::vector<int> first;
    std::vector<std::int32_t> coefficients;

    int outputs() const { return int(first.size()); }
    const std::int32_t *of(int output) const { return &coefficients[std::size_t(output) * std::size_t(size)]; }
};

/* Bits of the coefficients' sum. */
constexpr int kAcrossBits = 14, kDownBits = 12;

/* From `given` to `wanted` samples of an axis; a `position` is where the first sample lies, in 1/256 of its own pitch
 * from the picture's edge. */
Taps bicubic_taps(int given, int wanted, int given_position, int wanted_position, int bits);

/* The position of a chroma axis's first sample for bicubic_taps; 128 is its pixel's middle. */
int position_across(ChromaLocation location);
int position_down(ChromaLocation location);
constexpr int kMiddle = 128;

}  // namespace edgesr
