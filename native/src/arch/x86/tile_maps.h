// Content layers in tiles: from planes of words to planes of maps.
#pragma once

#include "arch/x86/tile_finish.h"

namespace {

constexpr int kLine = 32;  // pixels of one map that are finished together

// Nobody reads maps before the frame is done, so whole cache lines of them go past the caches.
ESR_INLINE bool whole_line(const void *out, int present) {
    return present >= kLine && reinterpret_cast<std::uintptr_t>(out) % kTileRow == 0;
}

// 32 pixels of one map, fewer at the end of a row.
ESR_INLINE void store_line(esr::Bf16 *out, Real first, Real second, int present) {
    const __m512i values = (__m512i)_mm512_cvtne2ps_pbh(second, first);
    if (whole_line(out, present)) return _mm512_stream_si512(reinterpret_cast<__m512i *>(out), values);
    _mm512_mask_storeu_epi16(out, present < kLine ? (1u << present) - 1u : ~0u, values);
}
ESR_INLINE void store_line(float *out, Real first, Real second, int present) {
    if (whole_line(out, present)) {
        _mm512_stream_ps(out, first);
        return _mm512_stream_ps(out + kLanes, second);
    }
    const std::uint32_t mask = present < kLine ? (1u << present) - 1u : ~0u;
    _mm512_mask_storeu_ps(out, __mmask16(mask), first);
    _mm512_mask_storeu_ps(out + kLanes, __mmask16(mask >> kLanes), second);
}

// Where a block's maps go.
template <class Value>
struct MapsPlace {
    Value *out;  // its first channel and pixel
    std::ptrdiff_t plane;
    int channel, channels, pixels;  // channels and pixels: how many there are
};

template <class Block, class Value>
ESR_INLINE void finish_line(const float *sums, const Convolution &c, const MapsPlace<Value> &place, int line) {
    constexpr int each = Block::pixels / kLine;
    const int channel = line / each, x = line % each * kLine;
    if (channel >= place.channels || x >= place.pixels) return;
    const int at = place.channel + channel;
    const Real bias = Block::int8 ? _mm512_castsi512_ps(_mm512_set1_epi32(c.start[at])) : Vector::broadcast(c.bias[at]);
    const Real scale = Vector::broadcast(Block::int8 ? c.scale[at] : 1.0f), floor = Vector::broadcast(c.floor);
    Real v[2];
    for (int j = 0; j < 2; ++j)
        v[j] = Vector::at_least(value_of<Block::int8>(sums + line * kLine + j * kLanes, bias, scale), floor);
    store_line(place.out + channel * place.plane + x, v[0], v[1], place.pixels - x);
}

// A group of channels over a strip, column of blocks by column: weights and rows stay in the first-level cache.
template <class Block, class Value>
ESR_NOINLINE void run_maps(const Convolution &c, const Strip &s, int channel) {
    constexpr int kLines = kBlockValues / kLine;
    alignas(64) float sums[2][kBlockValues];
    BlockInput in;
    in.stride = s.plane * std::ptrdiff_t(sizeof(float));
    in.weights = static_cast<const char *>(c.weights) + std::ptrdiff_t(channel / kTileSide) * Block::steps * kTileBytes;
    MapsPlace<Value> place{};
    int turn = 0;
    for (int x = 0; x < s.width; x += Block::pixels)
        for (int row = 0; row < s.rows; ++row, turn ^= 1) {
            for (int dy = 0; dy < kTaps; ++dy) in.row[dy] = static_cast<const char *>(s.in[row + dy]) + x * 4;
            Block::run(in, sums[turn], [&](auto step) {
                constexpr int from = step * kLines / Block::steps, to = (step + 1) * kLines / Block::steps;
                for (int line = from; line < to; ++line) finish_line<Block>(sums[turn ^ 1], c, place, line);
            });
            place = {static_cast<Value *>(s.maps.first) + channel * s.maps.plane + (s.y + row) * s.maps.row + x, s.maps.plane,
                     channel, c.map_channels - channel, s.width - x};
        }
    for (int line = 0; line < kLines; ++line) finish_line<Block>(sums[turn ^ 1], c, place, line);
}

template <bool kInt8, int kPixelBytes, class Value>
void run_map_groups(const Convolution &c, const Strip &s) {
    for (int channel = 0; channel < c.map_channels; channel += kGroup)
        if (c.out_channels - channel < kGroup)
            run_maps<MapBlock<kInt8, kPixelBytes, false>, Value>(c, s, channel);
        else
            run_maps<MapBlock<kInt8, kPixelBytes, true>, Value>(c, s, channel);
}

template <bool kInt8, class Value>
void run_maps_of(const Convolution &c, const Strip &s) {
    constexpr int bytes = kInt8 ? 1 : 2;
    switch (c.in_channels) {
        case 16: return run_map_groups<kInt8, 16 * bytes, Value>(c, s);
        case 32: return run_map_groups<kInt8, 32 * bytes, Value>(c, s);
        default: return run_map_groups<kInt8, 64 * bytes, Value>(c, s);
    }
}

void convolve_maps(const Convolution &c, const Strip &s) {
    const bool int8 = c.input == Format::Int8Planes;
    if (s.maps.bf16)
        int8 ? run_maps_of<true, esr::Bf16>(c, s) : run_maps_of<false, esr::Bf16>(c, s);
    else
        int8 ? run_maps_of<true, float>(c, s) : run_maps_of<false, float>(c, s);
    _mm_sfence();
}

}  // namespace
