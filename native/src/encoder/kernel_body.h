// An encoder's kernel, written once for every processor with vectors: the including source has defined Vector, kSums
// (vectors of sums that fit into registers), kWinogradSums (the same for Winograd's, or 0), Int8Operand, where the vectors
// have int16 Int16Operand, and WideOperand (the operand of convolutions that are neither in INT8 nor Winograd's).
#pragma once

#include "encoder/convert.h"
#include "encoder/direct.h"
#include "encoder/peak_loop.h"
#include "encoder/winograd.h"

namespace {

struct Int16Operand;

// After a row's last group: padding, transformation or planes.
ESR_INLINE void end_row(const Convolution &c, const Strip &s, int row) {
    if (c.maps) return write_maps<Vector>(c, s, row);
    if (c.output != Format::Winograd) return pad_row(c, s.width, s.out[row]);
    transform_row(line_of(c, s, row), s.width, s.tiles, c.out_channels, static_cast<float *>(s.out[row]));
}

template <int kChannels, int V>
ESR_INLINE void run_group(const Convolution &c, const Strip &s, int row, int channel) {
    if (c.input == Format::Int8) return direct_group<Int8Operand, kChannels, V>(c, s, row, channel);
    if constexpr (Vector::int16)
        if (c.input == Format::Int16) return direct_group<Int16Operand, kChannels, V>(c, s, row, channel);
    if constexpr (kWinogradSums > 0)
        winograd_group<kChannels, V>(c, s, row, channel);
    else
        direct_group<WideOperand, kChannels, V>(c, s, row, channel);
}

template <int V>
void run_channels(const Convolution &c, const Strip &s, int row, int channel) {
    switch (c.in_channels) {
        case esr::kImageChannels: return direct_group<WideOperand, esr::kImageChannels, V>(c, s, row, channel);
        case 16: return run_group<16, V>(c, s, row, channel);
        case 32: return run_group<32, V>(c, s, row, channel);
        default: return run_group<64, V>(c, s, row, channel);
    }
}

void convolve(const Convolution &c, const Strip &s) {
    for (int row = 0; row < s.rows; ++row) {
        for (int channel = 0; channel < c.out_channels; channel += kGroup)
            if (channels_of_group(c, channel) == kGroup)
                run_channels<kGroup / kLanes>(c, s, row, channel);
            else
                run_channels<kGroup / 2 / kLanes>(c, s, row, channel);
        end_row(c, s, row);
    }
}

// Transformed rows come from the stream itself.
void convert_row(const Convolution &c, const Strip &s) {
    if (c.output != Format::Winograd) return convert(c, s);
    for (int row = 0; row < s.rows; ++row)
        transform_row(s.sum[row], s.width, s.tiles, c.out_channels, static_cast<float *>(s.out[row]));
}

constexpr int kWideWord = WideOperand::word, kLevels = 4;

#if defined(__x86_64__) || defined(__aarch64__)
template <class Operand>
constexpr esr::PeakLoop kPeak = Vector::registers ? peak_of<Operand, kSums>() : esr::PeakLoop{};
#else
template <class Operand>
constexpr esr::PeakLoop kPeak{};
#endif

constexpr esr::EncoderKernel make_encoder(const char *name, bool (*supported)(), bool int8, bool signed_levels = false) {
    const Format wide = Vector::bf16 && WideOperand::word == 2 ? Format::Bf16 : Format::Float;
    return {name,          kWinogradSums > 0 ? Format::Winograd : wide,
            wide,          {kWideWord, 0, 0},
            int8,          signed_levels,
            {kLevels, 0, 0}, int8 && Vector::int16 && wide == Format::Float,
            Vector::bf16, false,
            1 << 20,
            kWinogradSums * kLanes / kGroup, supported,
            nullptr,       nullptr,
            convolve,      convert_row,
            kPeak<WideOperand>, int8 ? kPeak<Int8Operand> : esr::PeakLoop{}};
}

}  // namespace
