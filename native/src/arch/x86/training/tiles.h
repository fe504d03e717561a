// What a step's products are cut into.
#pragma once

#include "arch/x86/vector_avx512.h"
#include "common/bf16.h"
#include "common/inline.h"

namespace {

using esr::Bf16;
using Real = Vector::F;

// A tile: 16 rows of 32 values to the left, 16 pairs of rows of 16 columns to the right, 16 x 16 sums.
constexpr int kSide = 16, kDepth = 32, kTileValues = 512, kTileSums = 256;
constexpr std::ptrdiff_t kRowBytes = 64;  // of a tile that lies on its own

}  // namespace
