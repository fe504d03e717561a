#include "resampling.h"

#include <algorithm>

#include "versions.h"

namespace edgesr {
namespace {

constexpr int kWideBits = 17;

/* Sums about the middle of the range, so that 19-bit values fit into 32 bits. */
EDGESR_VERSIONS void weighted(const std::int32_t *coefficients, int taps, const std::int32_t *const *rows, int width,
                              std::int32_t middle, std::int32_t *sums) {
    std::fill(sums, sums + width, 0);
    for (int tap = 0; tap < taps; ++tap) {
        const std::int32_t coefficient = coefficients[tap];
        const std::int32_t *row = rows[tap];
        for (int x = 0; x < width; ++x) sums[x] += (row[x] - middle) * coefficient;
    }
}

EDGESR_VERSIONS void rounded(std::int32_t *values, int width, int shift, std::int32_t middle, std::int32_t most) {
    const std::int32_t half = 1 << (shift - 1);
    for (int x = 0; x < width; ++x) values[x] = std::clamp(((values[x] + half) >> shift) + middle, 0, most);
}

}  // namespace

EDGESR_VERSIONS void filter_across(const Taps &taps, const std::int32_t *row, int bits, int inner, std::int32_t *out) {
    const int shift = kAcrossBits + bits - inner, size = taps.size, count = taps.outputs();
    const std::int32_t most = (1 << inner) - 1;
    for (int x = 0; x < count; ++x) {
        const std::int32_t *from = row + taps.first[std::size_t(x)], *by = taps.of(x);
        std::int32_t sum = 0;
        for (int tap = 0; tap < size; ++tap) sum += from[tap] * by[tap];
        out[x] = std::min(sum >> shift, most);
    }
}

void filter_down(const std::int32_t *coefficients, int taps, const std::int32_t *const *rows, int width, int depth,
                 std::int32_t *codes) {
    const int inner = inner_bits(depth);
    weighted(coefficients, taps, rows, width, 1 << (inner - 1), codes);
    rounded(codes, width, kDownBits + inner - depth, 1 << (depth - 1), (1 << depth) - 1);
}

EDGESR_VERSIONS void sum_down(const std::int32_t *coefficients, int taps, const std::int32_t *const *rows, int width,
                              std::int32_t *sums) {
    constexpr int inner = inner_bits(8), shift = kDownBits + inner - kWideBits;
    weighted(coefficients, taps, rows, width, 1 << (inner - 1), sums);
    for (int x = 0; x < width; ++x) sums[x] = (sums[x] + (1 << (shift - 1))) >> shift;
}

}  // namespace edgesr
