// A 3 x 3 convolution over a patch, forwards and backwards.
#pragma once

#include "arch/x86/training/packing.h"
#include "arch/x86/training/transposes.h"

namespace {

// Two blocks of sums by turns: what follows the products of one is done while the next one's run.
class Sums {
public:
    float *next() { return values_[turn_ ^= 1]; }
    const float *before() const { return values_[turn_ ^ 1]; }

private:
    alignas(64) float values_[2][4 * kTileSums];
    int turn_ = 0;
};

// Calls work(i) for a step's share of `count`, in `steps` shares.
template <class Work>
ESR_INLINE void share(int step, int steps, int count, const Work &work) {
    for (int i = step * count / steps; i < (step + 1) * count / steps; ++i) work(i);
}

// 32 pixels by 32 outputs at a time. finish(pixel, vector, sums) for every pixel of the patch's run and every 16 outputs;
// `in` is the run's pixel 0.
template <class Finish>
void convolve_wide(const Taps &taps, const Bf16 *in, int channels, const Geometry &g, const Finish &finish) {
    constexpr int pixels = 2 * kSide, row = 2 * kSide;
    Sums sums;
    int last_pixel = -1, last_tile = 0;
    const auto follow = [&](int p) {
        const float *from = sums.before() + p * row;
        finish(last_pixel + p, last_tile, Vector::load(from));
        finish(last_pixel + p, last_tile + 1, Vector::load(from + kSide));
    };
    for (int i = g.first; i < g.first + g.count; i += pixels)
        for (int tile = 0; tile < taps.tiles; tile += 2) {
            convolve_square(taps, tile, in + std::ptrdiff_t(i) * channels, channels, sums.next(), [&](int chunk) {
                if (last_pixel >= 0) share(chunk, taps.chunks, pixels, follow);
            });
            last_pixel = i;
            last_tile = tile;
        }
    sums.next();
    share(0, 1, pixels, follow);
}

// The same for 16 outputs, 64 pixels at a time.
template <class Finish>
void convolve_narrow(const Taps &taps, const Bf16 *in, int channels, const Geometry &g, const Finish &finish) {
    constexpr int pixels = 4 * kSide;
    Sums sums;
    int last_pixel = -1;
    const auto follow = [&](int p) { finish(last_pixel + p, 0, Vector::load(sums.before() + p * kSide)); };
    for (int i = g.first; i < g.first + g.count; i += pixels) {
        convolve_column(taps, in + std::ptrdiff_t(i) * channels, channels, sums.next(), [&](int chunk) {
            if (last_pixel >= 0) share(chunk, taps.chunks, pixels, follow);
        });
        last_pixel = i;
    }
    sums.next();
    share(0, 1, pixels, follow);
}

template <class Finish>
void convolve(const Taps &taps, const Bf16 *in, int channels, const Geometry &g, const Finish &finish) {
    if (taps.tiles % 2)
        convolve_narrow(taps, in, channels, g, finish);
    else
        convolve_wide(taps, in, channels, g, finish);
}

// Adds a convolution's weight gradients: for unit u of 16 planes, for each 16 outputs, 16 x 16 sums one after another.
// Over the pixels from `begin` to `end` of the run. rows[u]: a unit's first plane at the run's first pixel, each plane `stride`
// values after the one before; pairs: what comes back to the outputs.
inline void add_gradients(const Bf16 *const *rows, int units, std::ptrdiff_t stride, const Bf16 *pairs, int outputs, int begin,
                          int end, float *sums) {
    const int columns = outputs / kSide, step = columns % 2 ? 4 : 2;
    for (int u = 0; u < units; u += step)
        for (int c = 0; c < columns; c += 4 / step) {
            PixelProducts p{{}, pairs + std::ptrdiff_t(begin) * outputs + 2 * c * kSide, stride, outputs, {}, step == 2};
            // Units that would be beyond the last repeat it and are not stored.
            const int last = units - 1;
            for (int j = 0; j < 4; ++j) {
                const int unit = step == 4 ? u + j : u + j / 2, column = step == 4 ? c : c + j % 2;
                p.planes[j] = rows[unit < last ? unit : last] + begin;
                p.sums[j] = unit <= last ? sums + (unit * columns + column) * kTileSums : nullptr;
            }
            add_products(p, end - begin);
        }
}

}  // namespace
