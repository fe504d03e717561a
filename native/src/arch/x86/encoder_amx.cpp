// The encoder in tiles: bfloat16 products, and INT8 ones. While the tile unit multiplies one block, the vector unit finishes
// the block before it.
#include "arch/x86/vector_avx512.h"

#include "arch/x86/tile_blocks.h"
#include "common/processor.h"

namespace {

// After a row's last block: its padding, or its maps.
void end_row(const Convolution &c, const Strip &s, int row) {
    if (c.maps)
        write_maps<Vector>(c, s, row);
    else
        pad_row(c, s.width, s.out[row]);
}

// The block whose sums are done and whose results are not.
struct Pending {
    const float *sums = nullptr;
    Target target{};
    int pixels = 0;
};

// One convolution over a strip: kInt8 says what its products are, Result what becomes of them.
template <bool kInt8, class Result>
class Pipeline {
public:
    Pipeline(const Convolution &c, const Strip &s)
        : c_(c), s_(s), stride_(std::ptrdiff_t(c.in_channels) * value_bytes(c.input)),
          chunks_(int((kTaps * stride_ + kTileRow - 1) / kTileRow)) {}

    template <class Block>
    ESR_NOINLINE void run(int row, int channel) {
        const int steps = kTaps * chunks_;
        BlockInput in = input(row, channel);
        for (int x = 0; x < s_.width; x += Block::pixels) {
            float *sums = sums_[turn_];
            const Pending pending = pending_;
            const int each = (pending.pixels + steps - 1) / steps;
            int finished = 0;
            Block::template run<kInt8>(in, sums, [&](int) {
                const int to = finished + each < pending.pixels ? finished + each : pending.pixels;
                finish<Block::channels / kLanes>(pending, finished, to);
                finished = to;
            });
            end_rows_before(row);
            pending_ = {sums, target_of(c_, s_, row, x, channel, Block::channels), Block::pixels};
            turn_ = 1 - turn_;
            for (const char *&values : in.row) values += Block::pixels * stride_;
        }
        const bool last = row + 1 == s_.rows && channel + Block::channels >= c_.out_channels;
        // Blocks of groups of another width finish in another way.
        const bool mixed = c_.out_channels > kGroup && c_.out_channels % kGroup != 0;
        if (last || mixed) flush<Block>();
    }

private:
    template <int V>
    static ESR_INLINE void finish(const Pending &pending, int from, int to) {
        finish_pixels<kInt8, Result::finish, typename Result::Row, V>(pending.sums, from, to, pending.target);
    }
    template <class Block>
    void flush() {
        finish<Block::channels / kLanes>(pending_, 0, pending_.pixels);
        pending_.pixels = 0;
    }
    BlockInput input(int row, int channel) const {
        BlockInput in;
        for (int dy = 0; dy < kTaps; ++dy) in.row[dy] = static_cast<const char *>(s_.in[row + dy]);
        in.stride = stride_;
        in.chunks = chunks_;
        in.weights = static_cast<const char *>(c_.weights) + std::ptrdiff_t(channel / kTileChannels) * kTaps * chunks_ * kTileBytes;
        in.start = (kInt8 ? reinterpret_cast<const float *>(c_.start) : c_.bias) + channel;
        return in;
    }

public:
    // Blocks are finished in order, so one of `row` means that all rows before it are.
    void end_rows_before(int row) {
        for (; ended_ < row; ++ended_) end_row(c_, s_, ended_);
    }

private:
    const Convolution &c_;
    const Strip &s_;
    const std::ptrdiff_t stride_;
    const int chunks_;
    int turn_ = 0, ended_ = 0;
    Pending pending_;
    alignas(64) float sums_[2][WideBlock::pixels * WideBlock::channels];
};

template <bool kInt8, class Result>
void run_rows(const Convolution &c, const Strip &s) {
    Pipeline<kInt8, Result> pipeline(c, s);
    for (int row = 0; row < s.rows; ++row)
        for (int channel = 0; channel < c.out_channels; channel += kGroup)
            if (channels_of_group(c, channel) == kGroup)
                pipeline.template run<WideBlock>(row, channel);
            else
                pipeline.template run<NarrowBlock>(row, channel);
    pipeline.end_rows_before(s.rows);
}

template <Finish kFinish, class kRow>
struct ResultOf {
    static constexpr Finish finish = kFinish;
    using Row = kRow;
};

template <bool kInt8, class Row>
void run_finish(const Convolution &c, const Strip &s) {
    switch (c.finish) {
        case Finish::Keep: return run_rows<kInt8, ResultOf<Finish::Keep, Row>>(c, s);
        case Finish::Add: return run_rows<kInt8, ResultOf<Finish::Add, Row>>(c, s);
        default: return run_rows<kInt8, ResultOf<Finish::Clip, Row>>(c, s);
    }
}

template <bool kInt8>
void run_convolution(const Convolution &c, const Strip &s) {
    if (c.maps) return run_rows<kInt8, ResultOf<Finish::Clip, FloatRow>>(c, s);
    if (c.output == Format::Int8) return run_finish<kInt8, Int8Row>(c, s);
    run_finish<kInt8, Bf16Row>(c, s);
}

void convolve(const Convolution &c, const Strip &s) {
    if (c.input == Format::Int8)
        run_convolution<true>(c, s);
    else
        run_convolution<false>(c, s);
}

template <bool kInt8>
void turn_tiles(long turns) {
    for (; turns > 0; --turns) WideProducts<kInt8>::run();
}

// Two tiles of values by two of weights.
template <bool kInt8>
constexpr esr::PeakLoop kPeak = {turn_tiles<kInt8>, 4 * 2.0 * kTilePixels * kTileChannels * (kInt8 ? 64 : 32)};

}  // namespace

#include "encoder/convert.h"

namespace esr {
extern const EncoderKernel kEncoderAmx;
const EncoderKernel kEncoderAmx = {"amx", Format::Bf16, Format::Bf16, {2, 32, kTileChannels},
                                   true,  false,        {4, 64, kTileChannels}, true,
                                   0,     has_amx,      begin_tiles, end_tiles,
                                   convolve, convert,      kPeak<false>, kPeak<true>};
}  // namespace esr
