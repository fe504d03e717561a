// Rows: where their pixels lie, their padding, and maps written as planes.
#pragma once

#include <cstring>

#include "encoder/finish.h"

namespace {

using esr::kGroup;
using esr::kSpare;
using esr::kTaps;

ESR_INLINE int value_bytes(Format format) {
    return format == Format::Int8 ? 1 : format == Format::Bf16 || format == Format::Int16 ? 2 : 4;
}

ESR_INLINE char *pixel(void *row, Format format, std::ptrdiff_t value) {
    return static_cast<char *>(row) + value * value_bytes(format);
}

// Values of zero around a finished row; further pixels than these only meet weights of zero.
ESR_INLINE void pad_row(const Convolution &c, int width, void *row) {
    const int bytes = value_bytes(c.output) * c.out_channels;
    const int zero = c.output == Format::Int8 ? int(c.zero) : 0;
    std::memset(row, zero, std::size_t(bytes));
    std::memset(static_cast<char *>(row) + std::size_t(width + 1) * bytes, zero, std::size_t(bytes) * kSpare);
}

// The line of floats that a row's results go to when they are not yet what the next convolution reads.
ESR_INLINE float *line_of(const Convolution &c, const Strip &s, int row) {
    return c.finish == Finish::Clip ? s.scratch : s.sum[row];
}

// Where the results of one pixel and channel of a row go.
ESR_INLINE Target target_of(const Convolution &c, const Strip &s, int row, int x, int channel, int sums_pitch) {
    const std::ptrdiff_t at = std::ptrdiff_t(x + 1) * c.out_channels + channel;
    void *out;
    if (c.maps || c.output == Format::Winograd)
        out = s.scratch + at;
    else
        out = pixel(s.out[row], c.output, at);
    const float *addend = c.finish == Finish::Add ? s.addend[row] + at : nullptr;
    float *sum = c.finish == Finish::Clip ? nullptr : s.sum[row] + at;
    return {addend, sum,       out,         c.scale ? c.scale + channel : nullptr, c.out_channels, sums_pitch,
            c.floor, c.to_levels, c.zero};
}

ESR_INLINE int channels_of_group(const Convolution &c, int channel) {
    return c.out_channels - channel < kGroup ? c.out_channels - channel : kGroup;
}

// One square of pixels by channels, turned.
template <class Value>
ESR_INLINE void turn_square(const float *line, int pitch, int channels, Value *out, std::ptrdiff_t plane) {
    Real v[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) v[i] = Vector::load(line + i * pitch);
    Vector::transpose(v);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i)
        if (i < channels) Vector::store_value(out + i * plane, v[i]);
}

// The last pixels of a row, one by one: nothing is written beyond it.
template <class Value>
ESR_INLINE void turn_rest(const float *line, int pitch, int channels, int pixels, Value *out, std::ptrdiff_t plane) {
    for (int c = 0; c < channels; ++c)
        for (int x = 0; x < pixels; ++x) Vector::store_one(out + c * plane + x, line[x * pitch + c]);
}

template <class Value>
ESR_NOINLINE void write_planes(const Convolution &c, const Strip &s, int row) {
    const float *line = s.scratch + c.out_channels;
    Value *out = static_cast<Value *>(s.maps.first) + (s.y + row) * s.maps.row;
    for (int channel = 0; channel < c.map_channels; channel += kLanes) {
        const int present = c.map_channels - channel < kLanes ? c.map_channels - channel : kLanes;
        Value *planes = out + channel * s.maps.plane;
        int x = 0;
        for (; x + kLanes <= s.width; x += kLanes)
            turn_square(line + x * c.out_channels + channel, c.out_channels, present, planes + x, s.maps.plane);
        turn_rest(line + x * c.out_channels + channel, c.out_channels, present, s.width - x, planes + x, s.maps.plane);
    }
}

template <class Any>
void write_maps(const Convolution &c, const Strip &s, int row) {
    if constexpr (Any::bf16)
        if (s.maps.bf16) return write_planes<esr::Bf16>(c, s, row);
    write_planes<float>(c, s, row);
}

}  // namespace
