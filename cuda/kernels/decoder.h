// The decoder: maps to pixels of any grid, with nothing in between leaving the registers. A warp takes 32 neighbouring
// columns of a row. ESR_WIDTHS are the widths of its layers, multiples of 16, ESR_MODE its mode, 1 to 3, and ESR_BASE
// whether the bilinear base is added. ESR_MAPS are the layers' own widths where the maps are not padded as the encoder
// here pads them, but only as a whole, to 8: what a layer then reads of its neighbour is multiplied by a sine of zero.
#pragma once

#include "base.h"
#include "units.h"

struct Decode {
    const void *maps;   // height x width x all maps, float16
    const void *image;  // height x width x 3
    const int *rows, *cols;
    const float *offset_y, *offset_x;
    const Word4 *weights;  // fragments: each layer's from the second on, then the last layer's
    const float *floats;   // layer 0: by y, by x, by ratio, bias; biases of the others; 3 of the last layer and a zero
    const float *ratio;    // of the cell: one number
    void *output;          // out_height x out_width x 3
    int height, width, out_height, out_width;
};

namespace decoder {

constexpr int kWidths[] = {ESR_WIDTHS};
constexpr int kLayers = sizeof kWidths / sizeof kWidths[0];
#ifdef ESR_MAPS
constexpr int kMaps[] = {ESR_MAPS};
#else
constexpr int kMaps[] = {ESR_WIDTHS};
#endif
constexpr int kWarps = 4, kRows = 8;
constexpr bool kShares = ESR_MODE == 3;  // a layer's modulation waits for terms in the synthesis before it

DEVICE constexpr int sum_of_widths(int layers) { return layers ? kWidths[layers - 1] + sum_of_widths(layers - 1) : 0; }
constexpr int kChannels = sum_of_widths(kLayers), kLastWidth = kWidths[kLayers - 1];
// Halves of a pixel's maps before those of a layer, and in all.
DEVICE constexpr int maps_before(int layers) { return layers ? kMaps[layers - 1] + maps_before(layers - 1) : 0; }
constexpr int kStride = (maps_before(kLayers) + 7) / 8 * 8;
static_assert(maps_before(kLayers - 1) + kLastWidth <= kStride, "the last layer would read the next pixel's maps");
DEVICE constexpr bool by_quads(int layer) { return kWidths[layer] % 32 == 0 && maps_before(layer) % 8 == 0; }
// Quads of weights of the layers before `layer`, and in all: products onto arguments, and in mode 3 onto modulation.
DEVICE constexpr int quads_before(int layer) {
    return layer < 2 ? 0
                     : quads_before(layer - 1) +
                           kWidths[layer - 1] / 8 * (kWidths[layer - 2] / 16) * 32 / (kShares ? 1 : 2);
}
constexpr int kQuads = quads_before(kLayers) + (kLastWidth + 31) / 32 * 32;
// Floats in shared memory: those of layer 0 with the ratio folded in, then the biases.
constexpr int kFloatsAt = kQuads * 16, kBiasAt = kFloatsAt + 3 * kWidths[0] * 4;
DEVICE constexpr int bias_at(int layer) { return kBiasAt + (sum_of_widths(layer) - kWidths[0]) * 4; }
DEVICE constexpr int widest(int layers) {
    return layers == 0 ? 0 : kWidths[layers - 1] > widest(layers - 1) ? kWidths[layers - 1] : widest(layers - 1);
}
// Blocks that a multiprocessor holds at once: activations of more than 32 units need the registers of a third.
constexpr int kBlocks = widest(kLayers) > 32 ? 2 : 3;
constexpr int kStagesAt = bias_at(kLayers) + 4 * 4, kStage = 96 * 4;
constexpr int kSharedBytes = kStagesAt + kWarps * kStage;

struct Pixels {
    const char *maps[units::kPixels];  // where the lane's share of a pixel's maps begins
    float ox[units::kPixels];
};

// Layer 0: the argument is linear in the offsets.
DEVICE void first_layer(const Pixels &pixels, float oy, units::Activations<kWidths[0]> &out) {
    constexpr int width = kWidths[0], tiles = width / 8;
    units::Words<width> content[units::kPixels];
    UNROLL
    for (int p = 0; p < units::kPixels; ++p) content[p] = units::read<width, by_quads(0)>(pixels.maps[p]);
    UNROLL
    for (int j = 0; j < tiles; ++j) {
        const int at = kFloatsAt + (2 * tiles * (gpu::lane() & 3) + 2 * j) * 4;
        const Word2 by_y = gpu::shared_load<Word2>(at), by_x = gpu::shared_load<Word2>(at + 4 * width);
        const Word2 rest = gpu::shared_load<Word2>(at + 8 * width);
        const float even = gpu::fma(gpu::as_float(by_y.x), oy, gpu::as_float(rest.x));
        const float odd = gpu::fma(gpu::as_float(by_y.y), oy, gpu::as_float(rest.y));
        UNROLL
        for (int p = 0; p < units::kPixels; ++p) {
            const float a = gpu::fast_sine(gpu::fma(gpu::as_float(by_x.x), pixels.ox[p], even));
            const float b = gpu::fast_sine(gpu::fma(gpu::as_float(by_x.y), pixels.ox[p], odd));
            out.pixel[p].at[j] = gpu::halves(content[p].even(j) * a, content[p].odd(j) * b);
        }
    }
}

// The sums of 8 units of both strips: arguments of the sines and, in mode 3, the modulation.
struct UnitSums {
    gpu::Sums wave[2], share[2];
    template <int width> DEVICE UnitSums(int bias, int j, const units::Words<width> (&content)[units::kPixels]) {
        const Word2 start = gpu::shared_load<Word2>(bias);
        const float even = gpu::as_float(start.x), odd = gpu::as_float(start.y);
        UNROLL
        for (int s = 0; s < 2; ++s) {
            wave[s] = {{even, odd, even, odd}};
            share[s] = {{content[2 * s].even(j), content[2 * s].odd(j), content[2 * s + 1].even(j),
                         content[2 * s + 1].odd(j)}};
        }
    }
    template <int before> DEVICE void add_products(int weights, const units::Activations<before> &in) {
        UNROLL
        for (int k = 0; k < before / 16; ++k) {
            if (kShares) {
                const Word4 w = gpu::shared_load<Word4>(weights + k * 512);
                UNROLL
                for (int s = 0; s < 2; ++s) {
                    wave[s] = gpu::multiply(in.operand(s, k), w.x, w.y, wave[s]);
                    share[s] = gpu::multiply(in.operand(s, k), w.z, w.w, share[s]);
                }
            } else {
                const Word2 w = gpu::shared_load<Word2>(weights + k * 256);
                UNROLL
                for (int s = 0; s < 2; ++s) wave[s] = gpu::multiply(in.operand(s, k), w.x, w.y, wave[s]);
            }
        }
    }
    DEVICE float unit(int s, int i) const { return gpu::positive(share[s].at[i]) * gpu::fast_sine(wave[s].at[i]); }
};

// Layer `layer`, from the one before it. Weights lie by 8 units, then by 16 inputs.
template <int layer>
DEVICE void further_layer(const Pixels &pixels, const units::Activations<kWidths[layer - 1]> &in,
                          units::Activations<kWidths[layer]> &out) {
    constexpr int before = kWidths[layer - 1], width = kWidths[layer], tiles = width / 8, t_units = 2 * tiles;
    constexpr int step_bytes = kShares ? 512 : 256;
    units::Words<width> content[units::kPixels];
    UNROLL
    for (int p = 0; p < units::kPixels; ++p)
        content[p] = units::read<width, by_quads(layer)>(pixels.maps[p] + 2 * maps_before(layer) +
                                                         (gpu::lane() & 3) * (4 * tiles - kWidths[0] / 2));
    UNROLL
    for (int j = 0; j < tiles; ++j) {
        UnitSums sums(bias_at(layer) + (t_units * (gpu::lane() & 3) + 2 * j) * 4, j, content);
        sums.add_products<before>(
            quads_before(layer) * 16 + j * (before / 16) * step_bytes + gpu::lane() * (step_bytes / 32), in);
        UNROLL
        for (int p = 0; p < units::kPixels; ++p)
            out.pixel[p].at[j] = gpu::halves(sums.unit(p / 2, 2 * (p & 1)), sums.unit(p / 2, 2 * (p & 1) + 1));
    }
}

// The last layer's sums go through shared memory, so that each lane finishes one pixel.
DEVICE void last_layer(const units::Activations<kLastWidth> &in, int stage) {
    const int g = gpu::lane() / 4, t = gpu::lane() & 3;
    const int bias = bias_at(kLayers) + 2 * (t & 1) * 4;
    const float even = gpu::shared_load<float>(bias), odd = gpu::shared_load<float>(bias + 4);
    UNROLL
    for (int s = 0; s < 2; ++s) {
        gpu::Sums y = {{even, odd, even, odd}};
        UNROLL
        for (int k = 0; k < kLastWidth / 16; ++k) {
            const int at = (quads_before(kLayers) + k / 2 * 32 + gpu::lane()) * 16 + k % 2 * 8;
            const Word2 w = gpu::shared_load<Word2>(at);
            y = gpu::multiply(in.operand(s, k), w.x, w.y, y);
        }
        UNROLL
        for (int half = 0; half < 2; ++half) {
            const int at = stage + ((16 * s + 8 * half + g) * 3 + 2 * t) * 4;
            if (t < 2) gpu::shared_store(at, y.at[2 * half]);
            if (t == 0) gpu::shared_store(at + 4, y.at[2 * half + 1]);
        }
    }
}

template <int layer>
DEVICE void layers_from(const Pixels &pixels, const units::Activations<kWidths[layer - 1]> &in, int stage) {
    if constexpr (layer < kLayers) {
        units::Activations<kWidths[layer]> out;
        further_layer<layer>(pixels, in, out);
        layers_from<layer + 1>(pixels, out, stage);
    } else {
        last_layer(in, stage);
    }
}

// The weights, and the floats with layer 0's ratio times its weight added to the bias.
DEVICE void fill_shared_memory(const Decode &d) {
    constexpr int threads = 32 * kWarps, width = kWidths[0], biases = kChannels - width + 4;
    for (int i = gpu::thread(); i < kQuads; i += threads) gpu::copy16(i * 16, d.weights + i, true);
    gpu::copies_close();
    for (int i = gpu::thread(); i < 2 * width; i += threads)
        gpu::shared_store(kFloatsAt + i * 4, gpu::load_constant(d.floats + i));
    const float ratio = gpu::load_constant(d.ratio);
    for (int i = gpu::thread(); i < width; i += threads)
        gpu::shared_store(kFloatsAt + (2 * width + i) * 4,
                          gpu::fma(gpu::load_constant(d.floats + 2 * width + i), ratio,
                                   gpu::load_constant(d.floats + 3 * width + i)));
    for (int i = gpu::thread(); i < biases; i += threads)
        gpu::shared_store(kBiasAt + i * 4, gpu::load_constant(d.floats + 4 * width + i));
    gpu::copies_wait<0>();
    gpu::barrier();
}

// One row of 32 output pixels; `own` says where the lane's own output pixel lies.
template <class Colour> DEVICE void finish_row(const Decode &d, const base::Place &own, int y, int x, int stage) {
    if (x >= d.out_width) return;
    Colour *out = static_cast<Colour *>(d.output) + (static_cast<long long>(y) * d.out_width + x) * 3;
    const base::Base<Colour> under(static_cast<const Colour *>(d.image), own, d.height, d.width);
    UNROLL
    for (int c = 0; c < 3; ++c) {
        const float residual = gpu::shared_load<float>(stage + (gpu::lane() * 3 + c) * 4);
        colour::write(out + c, gpu::fma(residual, 127.5f, ESR_BASE ? under(c) : 127.5f));
    }
}

template <class Colour> DEVICE void run(const Decode &d) {
    fill_shared_memory(d);
    const int lane = gpu::lane(), x0 = gpu::block_x() * 32, last = d.out_width - 1;
    const int stage = kStagesAt + gpu::warp() * kStage;
    Pixels pixels;
    int column[units::kPixels];
    UNROLL
    for (int p = 0; p < units::kPixels; ++p) {
        const int x = gpu::smaller(x0 + 8 * p + lane / 4, last);
        column[p] = gpu::load_constant(d.cols + x) * 2 * kStride + (lane & 3) * (kWidths[0] / 2);
        pixels.ox[p] = gpu::load_constant(d.offset_x + x);
    }
    base::Place own;
    own.column = gpu::load_constant(d.cols + gpu::smaller(x0 + lane, last));
    own.ox = gpu::load_constant(d.offset_x + gpu::smaller(x0 + lane, last));
    NO_UNROLL
    for (int i = 0; i < kRows; ++i) {
        const int y = (gpu::block_y() * kRows + i) * kWarps + gpu::warp();
        if (y >= d.out_height) break;
        own.row = gpu::load_constant(d.rows + y);
        own.oy = gpu::load_constant(d.offset_y + y);
        const char *line = static_cast<const char *>(d.maps) + static_cast<long long>(own.row) * d.width * 2 * kStride;
        UNROLL
        for (int p = 0; p < units::kPixels; ++p) pixels.maps[p] = line + column[p];
        units::Activations<kWidths[0]> first;
        first_layer(pixels, own.oy, first);
        layers_from<1>(pixels, first, stage);
        gpu::warp_barrier();
        finish_row<Colour>(d, own, y, x0 + lane, stage);
        gpu::warp_barrier();
    }
}

}  // namespace decoder
