// The kernels' only door to the machine: memory, barriers and the instructions of a warp.
//
// Under nvcc and NVRTC every function is one instruction (machine_ptx.h), elsewhere the emulator answers
// (cuda/emulator/machine_emulated.h). No CUDA header is included, so NVRTC compiles the kernels without a toolkit.
#pragma once

struct alignas(16) Word4 {
    unsigned x, y, z, w;
};
struct alignas(8) Word2 {
    unsigned x, y;
};
typedef unsigned char u8;
typedef unsigned short u16;

namespace gpu {

// What a lane holds of the 16 x 8 sums of a product: rows lane / 4 (the first two) and lane / 4 + 8, columns
// 2 * (lane % 4) and the next.
struct Sums {
    float at[4];
};
struct HalfSums {
    unsigned low, high;
};
struct IntSums {
    int at[4];
};

}  // namespace gpu

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#include "machine_ptx.h"
#else
#include "machine_emulated.h"
#endif

namespace gpu {

DEVICE int lane() { return thread() & 31; }
DEVICE int warp() { return thread() >> 5; }
DEVICE Word4 zeros() { return {0, 0, 0, 0}; }
DEVICE float positive(float x) { return x > 0.0f ? x : 0.0f; }
DEVICE float within(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
DEVICE int smaller(int a, int b) { return a < b ? a : b; }
DEVICE int larger(int a, int b) { return a > b ? a : b; }
// Whether 0 <= i < size, in one comparison.
DEVICE bool inside(int i, int size) { return static_cast<unsigned>(i) < static_cast<unsigned>(size); }

}  // namespace gpu
