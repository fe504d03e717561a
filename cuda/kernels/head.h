// The first convolution: a picture's colours, normalised to [-1, 1], to features.
//
// A pixel is four halves in shared memory, the last of them zero, and four taps are a step of the products: 9 taps take
// 3 steps, where a pixel padded to 16 channels would take 9.
#pragma once

#include "colour.h"
#include "halves.h"

struct Head {
    const void *image;     // height x width x 3
    const Word4 *weights;  // 3 steps of fragments
    const float *bias;
    void *output;  // height x width x channels
    int height, width, across;
};

namespace head {

constexpr int kWarps = 4, kRows = 2 * kWarps, kSteps = 3, kTaps = 9;
constexpr int kPixel = 8, kRow = tile::kHaloColumns * kPixel;

template <class Colour> DEVICE Word2 normalised(const Head &head, int y, int x) {
    if (!gpu::inside(y, head.height) || !gpu::inside(x, head.width)) return {0, 0};
    const Colour *at = static_cast<const Colour *>(head.image) + (static_cast<long long>(y) * head.width + x) * 3;
    const float scale = 2.0f / 255.0f;
    const float red = gpu::fma(colour::read(at), scale, -1.0f), green = gpu::fma(colour::read(at + 1), scale, -1.0f);
    return {gpu::halves(red, green), gpu::halves(gpu::fma(colour::read(at + 2), scale, -1.0f), 0.0f)};
}

// Where a lane reads tap number `tap`'s half of a pixel's four; taps beyond the ninth have no weights.
DEVICE int place(int tap) {
    const int known = gpu::smaller(tap, kTaps - 1);
    return known / 3 * kRow + (gpu::lane() / 4 + known % 3) * kPixel + (gpu::lane() & 1) * 4;
}

template <int tiles> DEVICE void sum_taps(int at, products::Block<tiles> &sums) {
    UNROLL
    for (int step = 0; step < kSteps; ++step) {
        const products::Fragments<tiles> w(0, step, gpu::lane());
        const int tap = 4 * step + (gpu::lane() & 3) / 2, near = place(tap), far = place(tap + 2);
        UNROLL
        for (int s = 0; s < products::kStrips; ++s) {
            const int corner = at + (2 * gpu::warp() + s / 2) * kRow + (s & 1) * 16 * kPixel;
            const Word4 pixels = {
                gpu::shared_load<unsigned>(corner + near), gpu::shared_load<unsigned>(corner + near + 8 * kPixel),
                gpu::shared_load<unsigned>(corner + far), gpu::shared_load<unsigned>(corner + far + 8 * kPixel)};
            UNROLL
            for (int j = 0; j < tiles; ++j)
                sums.strip[s][j] = gpu::multiply(pixels, w.first(j), w.second(j), sums.strip[s][j]);
        }
    }
}

template <class Colour, int channels> DEVICE void run(const Head &head) {
    constexpr int threads = 32 * kWarps, tiles = channels / 8, quads = kSteps * tiles / 2 * 32;
    typedef typename halves::Packed<tiles>::Words Words;
    const tile::Corner corner(gpu::block_x(), head.across, kRows, tile::kColumns);
    tile::fetch_weights<threads>(head.weights, quads);
    gpu::copies_close();
    for (int i = gpu::thread(); i < (kRows + 2) * tile::kHaloColumns; i += threads) {
        const int r = i / tile::kHaloColumns, column = i % tile::kHaloColumns;
        gpu::shared_store(quads * 16 + i * kPixel,
                          normalised<Colour>(head, corner.y - 1 + r, corner.x - 1 + column));
    }
    gpu::copies_wait<0>();
    gpu::barrier();
    products::Block<tiles> sums;
    products::Bias<tiles>(head.bias).begin(sums);
    sum_taps<tiles>(quads * 16, sums);
    UNROLL
    for (int s = 0; s < products::kStrips; ++s) {
        UNROLL
        for (int half = 0; half < 2; ++half) {
            const products::Spot spot(s, half);
            const int y = corner.y + 2 * gpu::warp() + spot.y, x = corner.x + spot.x;
            if (y < head.height && x < head.width) {
                const long long at =
                    ((static_cast<long long>(y) * head.width + x) * channels + 2 * tiles * (gpu::lane() & 3)) * 2;
                const Words words = halves::pack<false>(products::Channels<tiles>(sums.strip[s], half));
                gpu::store(reinterpret_cast<Words *>(static_cast<char *>(head.output) + at), words);
            }
        }
    }
}

}  // namespace head
