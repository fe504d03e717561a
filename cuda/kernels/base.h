// The bilinear base: the LR picture under an output pixel, edges clamped, in 255ths.
#pragma once

#include "colour.h"

namespace base {

// The nearest LR pixel of an output pixel, and the offset from its centre in half LR pixels.
struct Place {
    int row, column;
    float oy, ox;
};

DEVICE float mix(float a, float b, float share) { return gpu::fma(b - a, share, a); }
DEVICE int neighbour(int i, float offset, int size) {
    return gpu::smaller(gpu::larger(i + (offset < 0.0f ? -1 : 1), 0), size - 1);
}

template <class Colour> struct Base {
    const Colour *near[2], *far[2];  // two rows each, of the pixel's own column and of its neighbour
    float share_y, share_x;
    DEVICE Base(const Colour *image, const Place &at, int height, int width)
        : share_y((at.oy < 0.0f ? -at.oy : at.oy) * 0.5f), share_x((at.ox < 0.0f ? -at.ox : at.ox) * 0.5f) {
        const long long row = static_cast<long long>(at.row) * width;
        const long long other = static_cast<long long>(neighbour(at.row, at.oy, height)) * width;
        const int column = neighbour(at.column, at.ox, width);
        near[0] = image + (row + at.column) * 3, near[1] = image + (other + at.column) * 3;
        far[0] = image + (row + column) * 3, far[1] = image + (other + column) * 3;
    }
    DEVICE float operator()(int c) const {
        return mix(mix(colour::read(near[0] + c), colour::read(near[1] + c), share_y),
                   mix(colour::read(far[0] + c), colour::read(far[1] + c), share_y), share_x);
    }
};

}  // namespace base
