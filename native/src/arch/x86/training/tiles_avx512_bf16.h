// The products of tiles_amx.h by dot products of pairs (vdpbf16ps), as many sums at a time as registers hold.
#pragma once

#include "arch/x86/training/product_inputs.h"

namespace {

void begin_products() {}
void end_products() {}

// kRows rows by kVectors vectors of 16 columns. Eight rows by two: each value that is broadcast serves two products, or
// loads would set the pace.
template <int kRows, int kVectors>
struct SumBlock {
    Real sums[kRows][kVectors];

    // Steps in floats.
    ESR_INLINE void load(const float *from, std::ptrdiff_t row, std::ptrdiff_t vector) {
        each([&](int r, int v) { sums[r][v] = from ? Vector::load(from + r * row + v * vector) : _mm512_setzero_ps(); });
    }
    ESR_INLINE void store(float *to, std::ptrdiff_t row, std::ptrdiff_t vector) const {
        each([&](int r, int v) { Vector::store(to + r * row + v * vector, sums[r][v]); });
    }
    // Rows `pitch` values apart; vectors of pairs `next` values apart, those of the pair that follows `columns`.
    ESR_INLINE void add(const Bf16 *row, std::ptrdiff_t pitch, const Bf16 *column, std::ptrdiff_t columns, std::ptrdiff_t next,
                        int pairs) {
        for (; pairs > 0; --pairs, row += 2, column += columns) {
            __m512bh right[kVectors];
#pragma GCC unroll 2
            for (int v = 0; v < kVectors; ++v) right[v] = (__m512bh)_mm512_loadu_si512(column + v * next);
#pragma GCC unroll 16
            for (int r = 0; r < kRows; ++r) {
                std::int32_t pair;
                std::memcpy(&pair, row + r * pitch, sizeof(pair));
                const __m512bh left = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 2
                for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], left, right[v]);
            }
        }
    }

private:
    template <class Each>
    static ESR_INLINE void each(const Each &apply) {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
            for (int v = 0; v < kVectors; ++v) apply(r, v);
    }
};
using TallBlock = SumBlock<kSide, 1>;
using WideBlock = SumBlock<kSide / 2, 2>;

// What follows the products of the block before has no tiles to wait for here.
template <class Between>
ESR_INLINE void convolve_square(const Taps &taps, int tile, const Bf16 *at, int channels, float *out, const Between &between) {
    constexpr int rows = kSide / 2, row = 2 * kSide;
    for (int first = 0; first < 2 * kSide; first += rows) {
        WideBlock block;
        block.load(nullptr, 0, 0);
        for (int chunk = 0; chunk < taps.chunks; ++chunk)
            block.add(at + taps.offsets[chunk] + std::ptrdiff_t(first) * channels, channels,
                      taps.weights + (chunk * taps.tiles + tile) * kTileValues, kDepth, kTileValues, taps.pairs[chunk]);
        block.store(out + first * row, row, kSide);
    }
    for (int chunk = 0; chunk < taps.chunks; ++chunk) between(chunk);
}

template <class Between>
ESR_INLINE void convolve_column(const Taps &taps, const Bf16 *at, int channels, float *out, const Between &between) {
    for (int first = 0; first < 4 * kSide; first += kSide) {
        TallBlock block;
        block.load(nullptr, 0, 0);
        for (int chunk = 0; chunk < taps.chunks; ++chunk)
            block.add(at + taps.offsets[chunk] + std::ptrdiff_t(first) * channels, channels, taps.weights + chunk * kTileValues,
                      kDepth, 0, taps.pairs[chunk]);
        block.store(out + first * kSide, kSide, 0);
    }
    for (int chunk = 0; chunk < taps.chunks; ++chunk) between(chunk);
}

ESR_INLINE void multiply_row(const Bf16 *row, const Bf16 *columns, float *out) {
    constexpr int rows = kSide / 2;
    for (int first = 0; first < kSide; first += rows)
        for (int tile = 0; tile < 4; tile += 2) {
            WideBlock block;
            block.load(nullptr, 0, 0);
            block.add(row + first * kDepth, kDepth, columns + tile * kTileValues, kDepth, kTileValues, kDepth / 2);
            block.store(out + first * 4 * kSide + tile * kSide, 4 * kSide, kSide);
        }
}

ESR_INLINE void multiply_tile(const Bf16 *row, const Bf16 *column, float *out) {
    TallBlock block;
    block.load(nullptr, 0, 0);
    block.add(row, kDepth, column, kDepth, 0, kDepth / 2);
    block.store(out, kSide, 0);
}

inline void add_products(const PixelProducts &p, int count) {
    const int pairs = count / 2;
    if (!p.square) {
        for (int i = 0; i < 4 && p.sums[i]; ++i) {
            TallBlock block;
            block.load(p.sums[i], kSide, 0);
            block.add(p.planes[i], p.stride, p.pairs, 2 * p.outputs, 0, pairs);
            block.store(p.sums[i], kSide, 0);
        }
        return;
    }
    for (int unit = 0; unit < 4 && p.sums[unit]; unit += 2)
        for (int first = 0; first < kSide; first += kSide / 2) {
            const std::ptrdiff_t apart = p.sums[unit + 1] - p.sums[unit];
            WideBlock block;
            block.load(p.sums[unit] + first * kSide, kSide, apart);
            block.add(p.planes[unit] + first * p.stride, p.stride, p.pairs, 2 * p.outputs, 2 * kSide, pairs);
            block.store(p.sums[unit] + first * kSide, kSide, apart);
        }
}

}  // namespace
