// A video decoder's surfaces, NV12 and P010, to pictures of three colours and back. A thread takes two by two pixels.
//
// Chroma lies at every second pixel of a row, on it (ITU-T H.273, chroma sample locations 0 and 2); of the rows it lies
// midway between two, or where `chroma_top` says so on the upper one. Codes and colours are one matrix apart.
#pragma once

#include "colour.h"

struct Surface {
    void *luma, *chroma;  // rows of codes, and of pairs of codes for two pixels
    void *picture;        // height x width x 3
    int luma_pitch, chroma_pitch;  // bytes from row to row
    int height, width, chroma_top;
    float matrix[12];  // for each result: what the three parts and a one are multiplied by
};

namespace surface {

// Codes of 8 bits, and of 10 in the upper bits of a word.
struct Nv12 {
    typedef u8 Code;
    static constexpr int most = 255;
    DEVICE static float read(const Code *at) { return static_cast<float>(gpu::load_constant(at)); }
    DEVICE static Code code(int value) { return static_cast<Code>(value); }
};
struct P010 {
    typedef u16 Code;
    static constexpr int most = 1023;
    DEVICE static float read(const Code *at) { return static_cast<float>(gpu::load_constant(at) >> 6); }
    DEVICE static Code code(int value) { return static_cast<Code>(value << 6); }
};

struct Three {
    float at[3];
    DEVICE float times(const float *row) const {
        return gpu::fma(at[0], row[0], gpu::fma(at[1], row[1], gpu::fma(at[2], row[2], row[3])));
    }
};

template <class Format> DEVICE typename Format::Code *row_of(const void *plane, int pitch, int y) {
    typedef typename Format::Code Code;
    return reinterpret_cast<Code *>(static_cast<char *>(const_cast<void *>(plane)) + static_cast<long long>(y) * pitch);
}

DEVICE int half(int size) { return (size + 1) / 2; }
DEVICE int within(int i, int size) { return gpu::smaller(gpu::larger(i, 0), size - 1); }

// Four times the chroma of a row of pixels, between the two rows of codes that it lies between.
template <class Format> struct ChromaRow {
    const typename Format::Code *near, *far;
    float near_share;
    DEVICE ChromaRow(const Surface &s, int y) {
        const int rows = half(s.height), row = y / 2, odd = y & 1;
        near = row_of<Format>(s.chroma, s.chroma_pitch, row);
        far = row_of<Format>(s.chroma, s.chroma_pitch, within(odd || s.chroma_top ? row + odd : row - 1, rows));
        near_share = s.chroma_top ? (odd ? 2.0f : 4.0f) : 3.0f;
    }
    DEVICE float operator()(int column, int part) const {
        return Format::read(near + 2 * column + part) * near_share +
               Format::read(far + 2 * column + part) * (4.0f - near_share);
    }
};

template <class Format, class Colour> DEVICE void to_picture(const Surface &s) {
    const int column = gpu::block_x() * 128 + gpu::thread(), columns = half(s.width);
    if (column >= columns) return;
    for (int y = 2 * gpu::block_y(); y < 2 * gpu::block_y() + 2 && y < s.height; ++y) {
        const ChromaRow<Format> chroma(s, y);
        const auto *luma = row_of<Format>(s.luma, s.luma_pitch, y);
        const int next = within(column + 1, columns);
        for (int odd = 0; odd < 2; ++odd) {
            const int x = 2 * column + odd;
            if (x >= s.width) break;
            // Eighths, so that all but the last sums are exact.
            const Three codes = {{Format::read(luma + x), (chroma(column, 0) + chroma(odd ? next : column, 0)) * 0.125f,
                                  (chroma(column, 1) + chroma(odd ? next : column, 1)) * 0.125f}};
            Colour *to = static_cast<Colour *>(s.picture) + (static_cast<long long>(y) * s.width + x) * 3;
            for (int c = 0; c < 3; ++c) colour::write(to + c, codes.times(s.matrix + 4 * c));
        }
    }
}

template <class Colour> DEVICE Three read_colours(const Surface &s, int y, int x) {
    const Colour *at = static_cast<const Colour *>(s.picture) +
                       (static_cast<long long>(within(y, s.height)) * s.width + within(x, s.width)) * 3;
    return {{colour::read(at), colour::read(at + 1), colour::read(at + 2)}};
}

template <class Format> DEVICE void write_code(typename Format::Code *at, float value) {
    gpu::store(at, Format::code(gpu::nearest(gpu::within(value, 0.0f, static_cast<float>(Format::most)))));
}

// The colours of a row where its chroma lies: of three neighbours, the middle one twice.
template <class Colour> DEVICE Three across(const Surface &s, int y, int x) {
    const Three left = read_colours<Colour>(s, y, x - 1), own = read_colours<Colour>(s, y, x),
                right = read_colours<Colour>(s, y, x + 1);
    Three sum;
    for (int c = 0; c < 3; ++c) sum.at[c] = (left.at[c] + right.at[c]) * 0.25f + own.at[c] * 0.5f;
    return sum;
}

template <class Colour> DEVICE Three around(const Surface &s, int y, int x) {
    const Three upper = across<Colour>(s, y, x), lower = across<Colour>(s, y + 1, x);
    Three sum;
    if (!s.chroma_top) {
        for (int c = 0; c < 3; ++c) sum.at[c] = (upper.at[c] + lower.at[c]) * 0.5f;
        return sum;
    }
    const Three above = across<Colour>(s, y - 1, x);
    for (int c = 0; c < 3; ++c) sum.at[c] = (above.at[c] + lower.at[c]) * 0.25f + upper.at[c] * 0.5f;
    return sum;
}

template <class Format, class Colour> DEVICE void from_picture(const Surface &s) {
    const int column = gpu::block_x() * 128 + gpu::thread(), row = gpu::block_y();
    if (column >= half(s.width)) return;
    for (int y = 2 * row; y < 2 * row + 2 && y < s.height; ++y)
        for (int x = 2 * column; x < 2 * column + 2 && x < s.width; ++x)
            write_code<Format>(row_of<Format>(s.luma, s.luma_pitch, y) + x,
                               read_colours<Colour>(s, y, x).times(s.matrix));
    const Three mean = around<Colour>(s, 2 * row, 2 * column);
    auto *to = row_of<Format>(s.chroma, s.chroma_pitch, row) + 2 * column;
    write_code<Format>(to, mean.times(s.matrix + 4));
    write_code<Format>(to + 1, mean.times(s.matrix + 8));
}

}  // namespace surface
