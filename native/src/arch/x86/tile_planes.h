// Activations as planes: word w of a pixel's run of 64 bytes, for every pixel from the one before the first. What the content
// layers multiply by their weights from the left, so that their results come out as planes too.
#pragma once

#include "encoder/convert.h"

namespace {

constexpr int kRunWords = 16;

ESR_INLINE Format plain(Format format) { return format == Format::Int8Planes ? Format::Int8 : Format::Bf16; }

// A square of 16 runs, turned: what pixels from `x` on have to give to each plane.
ESR_INLINE void turn_runs(const char *line, std::ptrdiff_t stride, float *planes, std::ptrdiff_t pitch) {
    Real v[kRunWords];
#pragma GCC unroll 16
    for (int i = 0; i < kRunWords; ++i) v[i] = Vector::load(reinterpret_cast<const float *>(line + i * stride));
    Vector::transpose(v);
#pragma GCC unroll 16
    for (int i = 0; i < kRunWords; ++i) Vector::store(planes + i * pitch, v[i]);
}

// One row of the residual stream, rounded into `line` and then turned.
ESR_NOINLINE void convert_row_to_planes(Convolution c, Strip s, int row) {
    void *const line = s.scratch;
    float *const planes = static_cast<float *>(s.out[row]);
    c.output = plain(c.output);
    Strip one = s;
    one.rows = 1;
    one.sum[0] = s.sum[row];
    one.out[0] = line;
    convert(c, one);
    const std::ptrdiff_t stride = std::ptrdiff_t(value_bytes(c.output)) * c.out_channels;
    const int parts = stride > kTileRow ? int(stride / kTileRow) : 1;
    for (int part = 0; part < parts; ++part)
        for (int x = 0; x < s.width + kSpare; x += kRunWords)
            turn_runs(static_cast<const char *>(line) + x * stride + part * kTileRow, stride,
                      planes + part * kRunWords * s.plane + x, s.plane);
}

void convert_to_planes(const Convolution &c, const Strip &s) {
    for (int row = 0; row < s.rows; ++row) convert_row_to_planes(c, s, row);
}

}  // namespace
