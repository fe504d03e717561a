// machine.h on a GPU. One instruction a function; formats of operands are those of the PTX ISA. Kernels are compiled
// with --fmad=false: what is fused says so, and every machine rounds alike.
#pragma once

// -DESR_ARCH=750 compiles Turing's instructions for a newer GPU, so that they too can be tried where there is one.
#ifndef ESR_ARCH
#define ESR_ARCH __CUDA_ARCH__
#endif

#define DEVICE __device__ __forceinline__
#define KERNEL(threads, blocks, name, T, p) \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ T p)
#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("unroll 1")

extern __shared__ Word4 shared_memory[];

namespace gpu {

DEVICE int thread() { return threadIdx.x; }
DEVICE int block_x() { return blockIdx.x; }
DEVICE int block_y() { return blockIdx.y; }
DEVICE int grid_x() { return gridDim.x; }
DEVICE void barrier() { __syncthreads(); }
DEVICE void warp_barrier() { __syncwarp(); }

// Shared memory is addressed by its byte offset.
template <class T> DEVICE T *shared_at(int offset) {
    return reinterpret_cast<T *>(reinterpret_cast<char *>(shared_memory) + offset);
}
DEVICE unsigned shared_address(int offset) {
    return static_cast<unsigned>(__cvta_generic_to_shared(shared_at<char>(offset)));
}
template <class T> DEVICE T shared_load(int offset) { return *shared_at<T>(offset); }
template <class T> DEVICE void shared_store(int offset, T value) { *shared_at<T>(offset) = value; }

// 16 bytes from global to shared memory, or zeros; done for this thread after copies_wait.
DEVICE void copy16(int offset, const void *from, bool present) {
#if ESR_ARCH >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(offset)),
                 "l"(__cvta_generic_to_global(from)), "r"(present ? 16 : 0)
                 : "memory");
#else
    Word4 q = {0, 0, 0, 0};
    if (present) q = *static_cast<const Word4 *>(from);
    shared_store(offset, q);
#endif
}
DEVICE void copies_close() {
#if ESR_ARCH >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Waits until at most `open` of this thread's closed groups are under way.
template <int open> DEVICE void copies_wait() {
#if ESR_ARCH >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(open) : "memory");
#endif
}

template <class T> DEVICE T load(const T *from) { return *from; }
// Memory that nobody writes while the kernel runs.
template <class T> DEVICE T load_constant(const T *from) { return __ldg(from); }
template <> DEVICE Word4 load_constant(const Word4 *from) {
    Word4 q;
    asm("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(q.x), "=r"(q.y), "=r"(q.z), "=r"(q.w)
        : "l"(__cvta_generic_to_global(from)));
    return q;
}
template <> DEVICE Word2 load_constant(const Word2 *from) {
    Word2 q;
    asm("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(q.x), "=r"(q.y) : "l"(__cvta_generic_to_global(from)));
    return q;
}
template <class T> DEVICE void store(T *to, T value) { *to = value; }

// Four 8 x 8 matrices of 16-bit values: lane l names row l % 8 of matrix l / 8.
DEVICE Word4 load_matrices(int offset) {
    Word4 q;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(q.x), "=r"(q.y), "=r"(q.z), "=r"(q.w)
                 : "r"(shared_address(offset))
                 : "memory");
    return q;
}

// 16 x 16 times 16 x 8 of float16, added to float32.
DEVICE Sums multiply(const Word4 &a, unsigned b0, unsigned b1, const Sums &c) {
    Sums d;
#if ESR_ARCH >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%10, %11, %12, %13};"
        : "=f"(d.at[0]), "=f"(d.at[1]), "=f"(d.at[2]), "=f"(d.at[3])
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1), "f"(c.at[0]), "f"(c.at[1]), "f"(c.at[2]),
          "f"(c.at[3]));
#else
    Sums h;
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
        : "=f"(h.at[0]), "=f"(h.at[1]), "=f"(h.at[2]), "=f"(h.at[3])
        : "r"(a.x), "r"(a.y), "r"(b0), "f"(c.at[0]), "f"(c.at[1]), "f"(c.at[2]), "f"(c.at[3]));
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
        : "=f"(d.at[0]), "=f"(d.at[1]), "=f"(d.at[2]), "=f"(d.at[3])
        : "r"(a.z), "r"(a.w), "r"(b1), "f"(h.at[0]), "f"(h.at[1]), "f"(h.at[2]), "f"(h.at[3]));
#endif
    return d;
}
// The same with sums in float16, at twice the rate on GeForce 30 and 40.
DEVICE HalfSums multiply_half(const Word4 &a, unsigned b0, unsigned b1, const HalfSums &c) {
    HalfSums d;
#if ESR_ARCH >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%8, %9};"
        : "=r"(d.low), "=r"(d.high)
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1), "r"(c.low), "r"(c.high));
#else
    HalfSums h;
    asm("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3}, {%4}, {%5, %6};"
        : "=r"(h.low), "=r"(h.high)
        : "r"(a.x), "r"(a.y), "r"(b0), "r"(c.low), "r"(c.high));
    asm("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3}, {%4}, {%5, %6};"
        : "=r"(d.low), "=r"(d.high)
        : "r"(a.z), "r"(a.w), "r"(b1), "r"(h.low), "r"(h.high));
#endif
    return d;
}
// 16 x 32 times 32 x 8 of int8, added to int32.
DEVICE IntSums multiply_int8(const Word4 &a, unsigned b0, unsigned b1, const IntSums &c) {
    IntSums d = c;
#if ESR_ARCH >= 800
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+r"(d.at[0]), "+r"(d.at[1]), "+r"(d.at[2]), "+r"(d.at[3])
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
#else
#define ESR_EIGHT_ROWS(first, second, a, b)                                                   \
    asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};" \
        : "+r"(d.at[first]), "+r"(d.at[second])                                               \
        : "r"(a), "r"(b))
    ESR_EIGHT_ROWS(0, 1, a.x, b0);
    ESR_EIGHT_ROWS(2, 3, a.y, b0);
    ESR_EIGHT_ROWS(0, 1, a.z, b1);
    ESR_EIGHT_ROWS(2, 3, a.w, b1);
#undef ESR_EIGHT_ROWS
#endif
    return d;
}

// Two floats as float16, the first in the low half.
DEVICE unsigned halves(float low, float high) {
#if ESR_ARCH >= 800
    unsigned h;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(h) : "f"(high), "f"(low));
    return h;
#else
    u16 l, h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(l) : "f"(low));
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(high));
    return static_cast<unsigned>(h) << 16 | l;
#endif
}
// The same of the greater of value and zero.
DEVICE unsigned positive_halves(float low, float high) {
#if ESR_ARCH >= 800
    unsigned h;
    asm("cvt.rn.relu.f16x2.f32 %0, %1, %2;" : "=r"(h) : "f"(high), "f"(low));
    return h;
#else
    return halves(low > 0.0f ? low : 0.0f, high > 0.0f ? high : 0.0f);
#endif
}
DEVICE float low_half(unsigned h) {
    float f;
    asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l; }" : "=f"(f) : "r"(h));
    return f;
}
DEVICE float high_half(unsigned h) {
    float f;
    asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h; }" : "=f"(f) : "r"(h));
    return f;
}
DEVICE float fast_sine(float x) {
    float y;
    asm("sin.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
DEVICE float as_float(unsigned bits) { return __uint_as_float(bits); }
DEVICE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
// The nearest integer, halves to even.
DEVICE int nearest(float f) { return __float2int_rn(f); }
// Four integers as bytes, the first lowest, none beyond -128 and 127.
DEVICE unsigned signed_bytes(int a, int b, int c, int d) {
    unsigned upper, all;
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, 0;" : "=r"(upper) : "r"(d), "r"(c));
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;" : "=r"(all) : "r"(b), "r"(a), "r"(upper));
    return all;
}

}  // namespace gpu
