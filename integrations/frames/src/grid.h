/* Where every output pixel lies: nearest LR pixels and offsets from exact integers, as edge_sr/grid.py computes them.
 */
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sizes.h"

namespace edgesr {

/* For outputs `start` to `stop` of an axis, the index of the LR pixel that holds the centre. */
inline std::vector<std::int32_t> nearest(std::int64_t length, std::int64_t output_length, int start, int stop) {
    std::vector<std::int32_t> indices;
    for (std::int64_t i = start; i < stop; ++i)
        indices.push_back(std::int32_t((2 * i + 1) * length / (2 * output_length)));
    return indices;
}

/* Distance from that LR pixel's centre in half LR pixels. */
inline std::vector<float> offsets(std::int64_t length, std::int64_t output_length, int start, int stop) {
    std::vector<float> distances;
    for (std::int64_t i = start; i < stop; ++i) {
        const std::int64_t row = (2 * i + 1) * length / (2 * output_length);
        distances.push_back(
            float(double((2 * i + 1) * length - (2 * row + 1) * output_length) / double(output_length)));
    }
    return distances;
}

/* The first output whose nearest LR pixel is at least `row`. */
inline int first_output(std::int64_t length, std::int64_t output_length, std::int64_t row) {
    const std::int64_t doubled = 2 * output_length * row - length;
    const std::int64_t index = doubled <= 0 ? 0 : (doubled + 2 * length - 1) / (2 * length);
    return int(std::min(output_length, index));
}

inline float cell_ratio(Size given, Size wanted) {
    return float(double(std::int64_t(given.width) * given.height) / double(std::int64_t(wanted.width) * wanted.height));
}

}  // namespace edgesr
