// Weights of a convolution, put into a kernel's order.
#pragma once

#include "common/buffer.h"
#include "encoder/kernel.h"
#include "esr_native.h"

namespace esr {

// Float32 or bfloat16, as `format` says; `factor` is multiplied in.
Buffer<char> arrange_floats(const esr_convolution &source, const Convolution &shape, const WeightOrder &order, float factor);
// Words of 16 bits, a channel's weights divided by its `scale`.
Buffer<char> arrange_words(const esr_convolution &source, const Convolution &shape, const WeightOrder &order, const float *scale);
Buffer<char> arrange_levels(const esr_convolution &source, const Convolution &shape, const WeightOrder &order);

}  // namespace esr
