// What products read, whichever instructions make them: tiles_amx.h or tiles_avx512_bf16.h.
#pragma once

#include <cstring>

#include "arch/x86/training/tiles.h"

namespace {

// What a convolution is computed from: packed weights and the steps along the patch that its chunks take. Of a chunk's 16
// pairs of values only so many have weights.
struct Taps {
    const Bf16 *weights;
    const std::ptrdiff_t *offsets;
    const int *pairs;
    int chunks, tiles;
};

// Weight gradients. planes: of each unit of 16 the first one's pixels, the others `stride` values apart each; pairs: of pixels,
// `outputs` channels. sums: of two units by two columns, or of four units by one; null where there is none.
struct PixelProducts {
    const Bf16 *planes[4], *pairs;
    std::ptrdiff_t stride;
    int outputs;
    float *sums[4];
    bool square;
};

}  // namespace
