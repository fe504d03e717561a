// The encoder in tiles: bfloat16 products, and INT8 ones. While the tile unit multiplies one block, the vector unit finishes
// the block before it.
#include "arch/x86/vector_avx512.h"

#include "arch/x86/tile_maps.h"
#include "arch/x86/tile_planes.h"
#include "common/processor.h"

namespace {

template <class Block>
ESR_INLINE BlockInput block_input(const Convolution &c, const Strip &s, int row, int x, int channel) {
    BlockInput in;
    in.stride = std::ptrdiff_t(c.in_channels) * (Block::int8 ? 1 : 2);
    for (int dy = 0; dy < kTaps; ++dy) in.row[dy] = static_cast<const char *>(s.in[row + dy]) + x * in.stride;
    in.weights = static_cast<const char *>(c.weights) + std::ptrdiff_t(channel / kTileSide) * Block::steps * kTileBytes;
    return in;
}

template <Finish kFinish, Format kOut>
ESR_INLINE Place place_of(const Convolution &c, const Strip &s, int row, int x, int channel) {
    const std::ptrdiff_t at = std::ptrdiff_t(x + 1) * c.out_channels + channel;
    constexpr int bytes = kOut == Format::Bf16 ? 2 : 1;
    return {static_cast<char *>(s.out[row]) + bytes * at, kFinish == Finish::Add ? s.addend[row] + at : nullptr,
            kFinish == Finish::Clip ? nullptr : s.sum[row] + at, c.out_channels};
}

// A group of channels over a strip, column of blocks by column: weights and rows stay in the first-level cache.
template <class Block, Finish kFinish, Format kOut, bool kWhole>
ESR_NOINLINE void run_group(const Convolution &c, const Strip &s, int channel) {
    constexpr int V = Block::channels / kLanes;
    alignas(64) float sums[2][kBlockValues] = {};
    const Constants<V> constants(c, channel);
    // Nothing is pending before the first block: what comes of it lands in the scratch.
    Place place{reinterpret_cast<char *>(s.scratch), s.scratch, s.scratch, c.out_channels};
    int turn = 0;
    for (int x = 0; x < s.width; x += Block::pixels)
        for (int row = 0; row < s.rows; ++row, turn ^= 1) {
            const BlockInput in = block_input<Block>(c, s, row, x, channel);
            Block::run(in, sums[turn], [&](auto step) {
                constexpr int from = step * kFours / Block::steps, to = (step + 1) * kFours / Block::steps;
#pragma GCC unroll 8
                for (int four = from; four < to; ++four)
                    finish_four<Block::int8, kFinish, kOut, V, kWhole>(sums[turn ^ 1], constants, place, four);
            });
            place = place_of<kFinish, kOut>(c, s, row, x, channel);
        }
    for (int four = 0; four < kFours; ++four)
        finish_four<Block::int8, kFinish, kOut, V, kWhole>(sums[turn ^ 1], constants, place, four);
}

template <class Block, int kChannels, Finish kFinish, Format kOut>
void run_groups(const Convolution &c, const Strip &s) {
    constexpr bool whole = kChannels == Block::channels;
    for (int channel = 0; channel < kChannels; channel += Block::channels)
        run_group<Block, kFinish, kOut, whole>(c, s, channel);
}

template <class Block, int kChannels, Finish kFinish>
void run_output(const Convolution &c, const Strip &s) {
    switch (c.output) {
        case Format::Bf16: return run_groups<Block, kChannels, kFinish, Format::Bf16>(c, s);
        case Format::Int8: return run_groups<Block, kChannels, kFinish, Format::Int8>(c, s);
        default:
            if constexpr (kFinish == Finish::Add) run_groups<Block, kChannels, kFinish, Format::Nothing>(c, s);
    }
}

constexpr int chunks_of(int bytes) { return (kTaps * bytes + kTileRow - 1) / kTileRow; }

// The head alone is kept, and it alone reads a picture.
template <bool kInt8, int kChannels>
void run_body(const Convolution &c, const Strip &s) {
    using Block = PixelBlock<kInt8, chunks_of(kChannels * (kInt8 ? 1 : 2)), (kChannels > kTileSide)>;
    if (c.finish == Finish::Add) return run_output<Block, kChannels, Finish::Add>(c, s);
    run_output<Block, kChannels, Finish::Clip>(c, s);
}

template <int kChannels>
void run_convolution(const Convolution &c, const Strip &s) {
    if (c.finish == Finish::Keep)
        run_output<PixelBlock<false, 1, (kChannels > kTileSide)>, kChannels, Finish::Keep>(c, s);
    else if (c.input == Format::Int8)
        run_body<true, kChannels>(c, s);
    else
        run_body<false, kChannels>(c, s);
}

void convolve(const Convolution &c, const Strip &s) {
    if (c.maps) return convolve_maps(c, s);
    switch (c.out_channels) {
        case 16: run_convolution<16>(c, s); break;
        case 32: run_convolution<32>(c, s); break;
        default: run_convolution<64>(c, s);
    }
    if (c.output == Format::Nothing) return;
    for (int row = 0; row < s.rows; ++row) pad_row(c, s.width, s.out[row]);
}

template <bool kInt8>
void turn_tiles(long turns) {
    for (; turns > 0; --turns) multiply_registers<kInt8 ? Product::UnsignedLeft : Product::Bf16>();
}

// Two tiles of values by two of weights.
template <bool kInt8>
constexpr esr::PeakLoop kPeak = {turn_tiles<kInt8>, 4 * 2.0 * kTileSide * kTileSide * (kInt8 ? 64 : 32)};

}  // namespace

namespace esr {
extern const EncoderKernel kEncoderAmx;
const EncoderKernel kEncoderAmx = {"amx", Format::Bf16, Format::Bf16, {2, 32, kTileSide},
                                   true,  false,        {4, 64, kTileSide}, false, true, true,
                                   2000 << 10, 0, has_amx,      begin_tiles, end_tiles,
                                   convolve, convert_to_planes, kPeak<false>, kPeak<true>};
}  // namespace esr
