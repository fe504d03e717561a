// The last layer, the bilinear base and the pixels themselves.
#pragma once

#include <cstring>

#include "decoder/layers.h"

namespace {

using esr::Network;
using esr::Request;

constexpr int kColours = 3;

ESR_INLINE Real mix(Real a, Real b, Real share) { return Vector::fma(Vector::sub(b, a), share, a); }

// The image under a block, interpolated along y at LR and then along x.
template <bool Near, int N>
struct Base {
    const Block<N> &block;

    ESR_INLINE Real value(const float *line, int n) const {
        const esr::Request &r = block.request;
        line += block.column(n).base_start;
        const Vector::I index = Vector::load_index(r.base_pick + block.first_pixel(n));
        return Near ? Vector::pick(line, index) : Vector::gather(line, index);
    }
    ESR_INLINE Real operator()(int colour, int n) const {
        const Request &r = block.request;
        const float *top = r.base + colour * r.base_plane + r.base_top[block.row] * r.base_stride;
        const float *bottom = r.base + colour * r.base_plane + r.base_bottom[block.row] * r.base_stride;
        const Real share = Vector::broadcast(r.base_share_y[block.row]);
        const Real left = mix(value(top, n), value(bottom, n), share);
        const Real right = mix(value(top + 1, n), value(bottom + 1, n), share);
        return mix(left, right, Vector::load(r.base_share_x + block.first_pixel(n)));
    }
};

template <int N>
ESR_INLINE Real base_value(const Block<N> &block, int colour, int n) {
    return block.near ? Base<true, N>{block}(colour, n) : Base<false, N>{block}(colour, n);
}

template <int N>
ESR_INLINE Real intensity(const Block<N> &block, bool base, Real y, int colour, int n) {
    const Real half = Vector::broadcast(0.5f);
    if (base) y = Vector::add(y, base_value(block, colour, n));
    const Real v = Vector::fma(y, half, half);
    return Vector::at_most(Vector::at_least(v, Vector::broadcast(0.0f)), Vector::broadcast(1.0f));
}

template <class Any = Vector>
ESR_INLINE void write_bytes(std::uint8_t *out, const Real (&rgb)[kColours], int pixels) {
    const Real full = Vector::broadcast(255.0f);
    const Real r = Vector::mul(rgb[0], full), g = Vector::mul(rgb[1], full), b = Vector::mul(rgb[2], full);
    if constexpr (Any::packs_pixels) {
        Any::store_pixels(out, r, g, b, pixels);
    } else {
        std::uint32_t packed[kLanes];
        Any::store_rgb(packed, r, g, b);
        for (int i = 0; i < pixels; ++i) std::memcpy(out + i * kColours, packed + i, kColours);
    }
}

ESR_INLINE void write_floats(float *out, const Real (&rgb)[kColours], int pixels) {
    float planar[kColours][kLanes];
    for (int c = 0; c < kColours; ++c) Vector::store(planar[c], rgb[c]);
    for (int i = 0; i < pixels; ++i)
        for (int c = 0; c < kColours; ++c) out[i * kColours + c] = planar[c][i];
}

template <int N>
ESR_INLINE void write_vector(const Block<N> &block, const Real (&rgb)[kColours], int n) {
    const Request &r = block.request;
    const int x = block.first_pixel(n);
    const int pixels = r.out_width - x < kLanes ? r.out_width - x : kLanes;
    const std::ptrdiff_t place = (std::ptrdiff_t(block.row) * r.out_width + x) * kColours;
    if (r.float_pictures)
        write_floats(static_cast<float *>(r.out) + place, rgb, pixels);
    else
        write_bytes(static_cast<std::uint8_t *>(r.out) + place, rgb, pixels);
}

template <int N>
void write_pixels(const Block<N> &block, const Network &network, const Word *in) {
    Sums<kColours, N> sums;
    start_from<kColours, N>(network.last_bias, kColours, sums);
    multiply<kColours, N>(network.last_weights, in, network.last_steps, sums);
    for (int n = 0; n < N; ++n) {
        Real rgb[kColours];
        for (int c = 0; c < kColours; ++c) rgb[c] = intensity(block, network.base, sums[c][n], c, n);
        write_vector(block, rgb, n);
    }
}

}  // namespace
