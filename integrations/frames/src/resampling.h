/* A plane of codes filtered across and then down, in swscale's integers. */
#pragma once

#include "taps.h"

namespace edgesr {

/* Between the two filters values have 15 bits, for codes of 16 bits 19. */
constexpr int inner_bits(int depth) { return depth > 14 ? 19 : 15; }

/* A row of `bits`-bit values filtered across to `inner`-bit ones. */
void filter_across(const Taps &taps, const std::int32_t *row, int bits, int inner, std::int32_t *out);

/* Rows filtered down to one row of codes of `depth` bits; `rows[i]` is the row that tap i weighs. */
void filter_down(const std::int32_t *coefficients, int taps, const std::int32_t *const *rows, int width, int depth,
                 std::int32_t *codes);

/* As filter_down, to sums of 17 bits about `neutral` of them, without rounding to codes. */
void sum_down(const std::int32_t *coefficients, int taps, const std::int32_t *const *rows, int width,
              std::int32_t *sums);

}  // namespace edgesr
