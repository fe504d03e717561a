// The instructions of machine_emulated.h. Operands lie in the lanes as the PTX ISA lays down for mma.m16n8k16 (.f16) and
// mma.m16n8k32 (.s8).
#include <cstring>

#include "block.h"

using emulator::kWarp;
using emulator::Meeting;
using emulator::the_gpu;
using emulator::Warp;

namespace {

struct Operands {
    double a[16][16], b[16][8];
    explicit Operands(const Warp &warp) {
        for (int lane = 0; lane < kWarp; ++lane) {
            const int g = lane / 4, t = lane % 4;
            const Word4 &q = warp.a[lane];
            for (int e = 0; e < 2; ++e) {
                const int shift = 16 * e, k = 2 * t + e;
                a[g][k] = gpu::half_value(q.x >> shift & 0xffff);
                a[g + 8][k] = gpu::half_value(q.y >> shift & 0xffff);
                a[g][k + 8] = gpu::half_value(q.z >> shift & 0xffff);
                a[g + 8][k + 8] = gpu::half_value(q.w >> shift & 0xffff);
                b[k][g] = gpu::half_value(warp.b[lane][0] >> shift & 0xffff);
                b[k + 8][g] = gpu::half_value(warp.b[lane][1] >> shift & 0xffff);
            }
        }
    }
};

// Products of halves are exact; their sum is all but exact in float64, and then as far off as a GPU's may be.
struct Product {
    double sum[16][8];
    Product(const Operands &of, const double (&start)[16][8]) {
        std::memcpy(sum, start, sizeof sum);
        for (int row = 0; row < 16; ++row)
            for (int k = 0; k < 16; ++k)
                for (int column = 0; column < 8; ++column) sum[row][column] += of.a[row][k] * of.b[k][column];
        for (auto &row : sum)
            for (double &value : row) value += value * the_gpu().noise() * 0x1p-21;
    }
};

int row_of(int lane, int i) { return lane / 4 + (i > 1 ? 8 : 0); }
int column_of(int lane, int i) { return 2 * (lane % 4) + i % 2; }
int byte_at(unsigned word, int i) { return static_cast<signed char>(word >> (8 * i) & 0xff); }

void multiply_all(Warp &warp) {
    double start[16][8];
    for (int lane = 0; lane < kWarp; ++lane)
        for (int i = 0; i < 4; ++i) start[row_of(lane, i)][column_of(lane, i)] = warp.sums[lane].at[i];
    const Product product{Operands(warp), start};
    for (int lane = 0; lane < kWarp; ++lane)
        for (int i = 0; i < 4; ++i)
            warp.sums[lane].at[i] = static_cast<float>(product.sum[row_of(lane, i)][column_of(lane, i)]);
}

void multiply_all_half(Warp &warp) {
    double start[16][8];
    for (int lane = 0; lane < kWarp; ++lane) {
        const gpu::HalfSums &c = warp.half_sums[lane];
        const float values[4] = {gpu::low_half(c.low), gpu::high_half(c.low), gpu::low_half(c.high),
                                 gpu::high_half(c.high)};
        for (int i = 0; i < 4; ++i) start[row_of(lane, i)][column_of(lane, i)] = values[i];
    }
    const Product product{Operands(warp), start};
    for (int lane = 0; lane < kWarp; ++lane) {
        float d[4];
        for (int i = 0; i < 4; ++i) d[i] = static_cast<float>(product.sum[row_of(lane, i)][column_of(lane, i)]);
        warp.half_sums[lane] = {gpu::halves(d[0], d[1]), gpu::halves(d[2], d[3])};
    }
}

void multiply_all_int8(Warp &warp) {
    int a[16][32], b[32][8];
    for (int lane = 0; lane < kWarp; ++lane) {
        const int g = lane / 4, t = lane % 4;
        const Word4 &q = warp.a[lane];
        for (int e = 0; e < 4; ++e) {
            const int k = 4 * t + e;
            a[g][k] = byte_at(q.x, e), a[g + 8][k] = byte_at(q.y, e);
            a[g][k + 16] = byte_at(q.z, e), a[g + 8][k + 16] = byte_at(q.w, e);
            b[k][g] = byte_at(warp.b[lane][0], e), b[k + 16][g] = byte_at(warp.b[lane][1], e);
        }
    }
    for (int lane = 0; lane < kWarp; ++lane)
        for (int i = 0; i < 4; ++i)
            for (int k = 0; k < 32; ++k) warp.int_sums[lane].at[i] += a[row_of(lane, i)][k] * b[k][column_of(lane, i)];
}

void take_matrices(Warp &warp) {
    for (int lane = 0; lane < kWarp; ++lane) {
        unsigned *out = &warp.taken[lane].x;
        for (int matrix = 0; matrix < 4; ++matrix)
            std::memcpy(out + matrix,
                        reinterpret_cast<const char *>(&warp.rows[8 * matrix + lane / 4]) + 4 * (lane % 4), 4);
    }
}

}  // namespace

namespace gpu {

int thread() { return the_gpu().thread(); }
int block_x() { return the_gpu().block_x(); }
int block_y() { return the_gpu().block_y(); }
int grid_x() { return the_gpu().grid_x(); }
void barrier(const char *file, int line) { the_gpu().barrier({file, line}); }
void warp_barrier(const char *file, int line) { the_gpu().warp_barrier({file, line}); }
char *checked_shared(int offset, int bytes, bool write, const Site &site) {
    return the_gpu().touch_shared(offset, bytes, write, site);
}
void check_global(const void *at, int bytes, bool write, const Site &site) {
    the_gpu().touch_global(at, bytes, write, site);
}
void copy16(int offset, const void *from, bool present, const char *file, int line) {
    the_gpu().copy16(offset, from, present, {file, line});
}
void copies_close() { the_gpu().close_copies(); }
void wait_for_copies(int open) { the_gpu().wait_for_copies(open); }

Word4 load_matrices(int offset, const char *file, int line) {
    const Site site = {file, line};
    emulator::Gpu &gpu = the_gpu();
    std::memcpy(&gpu.warp().rows[gpu.lane()], gpu.touch_shared(offset, 16, false, site), 16);
    gpu.together(Meeting::matrices, site, [&] { take_matrices(gpu.warp()); });
    return gpu.warp().taken[gpu.lane()];
}

static void bring(const Word4 &a, unsigned b0, unsigned b1) {
    Warp &warp = the_gpu().warp();
    const int lane = the_gpu().lane();
    warp.a[lane] = a;
    warp.b[lane][0] = b0, warp.b[lane][1] = b1;
}

Sums multiply(const Word4 &a, unsigned b0, unsigned b1, const Sums &c, const char *file, int line) {
    const Site site = {file, line};
    emulator::Gpu &gpu = the_gpu();
    bring(a, b0, b1);
    gpu.warp().sums[gpu.lane()] = c;
    gpu.together(Meeting::product, site, [&] { multiply_all(gpu.warp()); });
    return gpu.warp().sums[gpu.lane()];
}

HalfSums multiply_half(const Word4 &a, unsigned b0, unsigned b1, const HalfSums &c, const char *file, int line) {
    const Site site = {file, line};
    emulator::Gpu &gpu = the_gpu();
    bring(a, b0, b1);
    gpu.warp().half_sums[gpu.lane()] = c;
    gpu.together(Meeting::half_product, site, [&] { multiply_all_half(gpu.warp()); });
    return gpu.warp().half_sums[gpu.lane()];
}

IntSums multiply_int8(const Word4 &a, unsigned b0, unsigned b1, const IntSums &c, const char *file, int line) {
    const Site site = {file, line};
    emulator::Gpu &gpu = the_gpu();
    bring(a, b0, b1);
    gpu.warp().int_sums[gpu.lane()] = c;
    gpu.together(Meeting::int_product, site, [&] { multiply_all_int8(gpu.warp()); });
    return gpu.warp().int_sums[gpu.lane()];
}

// sin.approx.ftz.f32 is at most 2^-20.5 off within two turns and 2^-14.7 within a hundred half turns (PTX ISA).
float fast_sine(float x) {
    const double bound = std::fabs(x) <= 6.2832f ? 0x1p-20 * 0.70710678 : 0x1p-14 * 0.61557;
    return static_cast<float>(std::sin(static_cast<double>(x)) + the_gpu().noise() * bound);
}

}  // namespace gpu
