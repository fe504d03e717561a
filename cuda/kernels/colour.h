// A picture's colours: bytes, or floats in [0, 1], three a pixel. Inside the kernels they are 255ths.
#pragma once

#include "machine.h"

namespace colour {

DEVICE float read(const u8 *at) { return static_cast<float>(gpu::load_constant(at)); }
DEVICE float read(const float *at) { return gpu::load_constant(at) * 255.0f; }

DEVICE void write(u8 *at, float v) {
    gpu::store(at, static_cast<u8>(gpu::nearest(gpu::within(v, 0.0f, 255.0f))));
}
DEVICE void write(float *at, float v) { gpu::store(at, gpu::within(v * (1.0f / 255.0f), 0.0f, 1.0f)); }

}  // namespace colour
