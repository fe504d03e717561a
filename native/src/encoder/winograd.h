// Winograd's F(4, 3) along rows (Lavin and Gray, arXiv 1509.09308), not along columns: half the multiplications remain,
// and rows may be cut anywhere. A row is stored transformed, so it is transformed once and read by three rows. Bits
// depend on a pixel's column modulo 4.
#pragma once

#include "encoder/products.h"
#include "encoder/rows.h"

namespace {

using esr::kWinogradPoints;
using esr::kWinogradTile;

// `line`: a row with a pixel of padding on the left and zeros beyond the width.
ESR_INLINE void transform_tile(const float *line, int channels, float *out, std::ptrdiff_t plane) {
    const Real four = Vector::broadcast(4.0f), two = Vector::broadcast(2.0f);
    const Real minus_four = Vector::broadcast(-4.0f), minus_five = Vector::broadcast(-5.0f);
    Real d[kWinogradPoints];
#pragma GCC unroll 6
    for (int i = 0; i < kWinogradPoints; ++i) d[i] = Vector::load(line + i * channels);
    const Real a = Vector::fma(minus_four, d[2], d[4]), b = Vector::fma(minus_four, d[1], d[3]);
    const Real e = Vector::sub(d[4], d[2]), f = Vector::mul(two, Vector::sub(d[3], d[1]));
    const Real first = Vector::fma(minus_five, d[2], Vector::mul(four, d[0]));
    const Real last = Vector::fma(minus_five, d[3], Vector::mul(four, d[1]));
    Vector::store(out, Vector::add(first, d[4]));
    Vector::store(out + plane, Vector::add(a, b));
    Vector::store(out + 2 * plane, Vector::sub(a, b));
    Vector::store(out + 3 * plane, Vector::add(e, f));
    Vector::store(out + 4 * plane, Vector::sub(e, f));
    Vector::store(out + 5 * plane, Vector::add(last, d[5]));
}

ESR_NOINLINE void transform_row(float *line, int width, int tiles, int channels, float *out) {
    std::memset(line, 0, sizeof(float) * channels);
    const std::ptrdiff_t end = std::ptrdiff_t(tiles) * kWinogradTile + 2;
    std::memset(line + std::ptrdiff_t(width + 1) * channels, 0, sizeof(float) * (end - width - 1) * channels);
    const std::ptrdiff_t plane = std::ptrdiff_t(tiles) * channels;
    for (int t = 0; t < tiles; ++t)
        for (int c = 0; c < channels; c += kLanes)
            transform_tile(line + t * kWinogradTile * channels + c, channels, out + t * channels + c, plane);
}

// Six points of one tile, back to four pixels.
template <int V>
ESR_INLINE void untransform_tile(const float *points, std::ptrdiff_t plane, const Real *bias, float *out) {
    const Real two = Vector::broadcast(2.0f), four = Vector::broadcast(4.0f), eight = Vector::broadcast(8.0f);
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j, points += kLanes, out += kLanes) {
        Real v[kWinogradPoints];
#pragma GCC unroll 6
        for (int q = 0; q < kWinogradPoints; ++q) v[q] = Vector::load(points + q * plane);
        const Real a = Vector::add(v[1], v[2]), b = Vector::sub(v[1], v[2]);
        const Real c = Vector::add(v[3], v[4]), d = Vector::sub(v[3], v[4]);
        Vector::store(out, Vector::add(Vector::add(v[0], a), Vector::add(c, bias[j])));
        Vector::store(out + V * kLanes, Vector::add(Vector::fma(two, d, b), bias[j]));
        Vector::store(out + 2 * V * kLanes, Vector::add(Vector::fma(four, c, a), bias[j]));
        Vector::store(out + 3 * V * kLanes, Vector::add(Vector::fma(eight, d, b), Vector::add(v[5], bias[j])));
    }
}

// Sums of one group at every point of the row. Points come outermost: their weights stay in the first-level cache.
template <int kChannels, int V>
ESR_NOINLINE void multiply_points(const Strip &s, int row, const float *weights, float *sums) {
    constexpr int kTiles = kWinogradSums / V;
    const int outer = kTaps * kChannels * V * kLanes;
    for (int q = 0; q < kWinogradPoints; ++q, weights += outer)
        for (int t = 0; t < s.tiles; t += kTiles) {
            const std::ptrdiff_t tile = std::ptrdiff_t(q) * s.tiles + t;
            Sums<FloatOperand, kTiles, V> sum;
#pragma GCC unroll 32
            for (int i = 0; i < kTiles; ++i)
#pragma GCC unroll 8
                for (int j = 0; j < V; ++j) sum[i][j] = Vector::broadcast(0.0f);
            for (int dy = 0; dy < kTaps; ++dy)
                multiply<FloatOperand, kTiles, V, kChannels>(static_cast<const float *>(s.in[row + dy]) + tile * kChannels,
                                                             weights + dy * (outer / kTaps), kChannels, sum);
            store_sums<FloatOperand, kTiles, V>(sum, sums + tile * V * kLanes);
        }
}

template <int kChannels, int V>
void winograd_group(const Convolution &c, const Strip &s, int row, int channel) {
    constexpr int kTiles = kWinogradSums / V, kPixels = kTiles * kWinogradTile, kWide = V * kLanes;
    const std::ptrdiff_t plane = std::ptrdiff_t(s.tiles) * kWide;
    float *points = s.scratch + std::ptrdiff_t(s.tiles * kWinogradTile + 2) * c.out_channels;
    const int each = kWinogradPoints * kTaps * kChannels;
    multiply_points<kChannels, V>(s, row, static_cast<const float *>(c.weights) + std::ptrdiff_t(channel) * each, points);
    alignas(64) float pixels[kPixels * kWide];
    Real bias[V];
    for (int j = 0; j < V; ++j) bias[j] = Vector::load(c.bias + channel + j * kLanes);
    const FinishPixels finish = finish_of<false, V>(c);
    for (int t = 0; t < s.tiles; t += kTiles) {
        for (int i = 0; i < kTiles; ++i)
            untransform_tile<V>(points + (t + i) * kWide, plane, bias, pixels + i * kWinogradTile * kWide);
        finish(pixels, 0, kPixels, target_of(c, s, row, t * kWinogradTile, channel, kWide));
    }
}

}  // namespace
