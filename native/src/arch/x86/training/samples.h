// A block of samples through the decoder and back: what each layer needs again stays in the cache.
#pragma once

#include "arch/x86/training/colours.h"
#include "arch/x86/training/decoder_weights.h"
#include "arch/x86/training/sines.h"
#include "arch/x86/training/convolution.h"

namespace {

constexpr int kSamples = 128, kVectors = kWidth / kSide;

// The samples of a block: `count` of them count, the others stand at the first one's pixel. Targets in [0, 1].
struct SampleBlock {
    int count;
    std::int32_t pixel[kSamples];  // along the patch's run
    float y[kSamples], x[kSamples], weight[kSamples];
    alignas(64) float target[kSamples][4];
};

// What the samples of one picture read and write.
struct PictureSide {
    const float *maps;    // rows of form.maps() values
    float *map_gradients;  // the same
    const float *image;   // in [-1, 1], four floats a pixel, edges repeated
    int row, pitch;
    float ratio;
};

class SampleDecoder {
public:
    explicit SampleDecoder(const Form &form)
        : layers_(form.layers), outputs_(layers_ * kSamples * kWidth), sines_(layers_ * kSamples * kWidth),
          slopes_(layers_ * kSamples * kWidth), back_(kSamples * kWidth), both_(kSamples * kBoth), pairs_(kSamples * kWidth),
          planes_(kSamples * kBoth) {}

    // Returns the block's share of the picture's loss; adds to the gradients, all of them by an error not yet averaged.
    float run(DecoderWeights &w, const SampleBlock &block, const PictureSide &side, const Criterion &criterion,
              DecoderGradients &gradients) {
        first(w, block, side);
        for (int layer = 1; layer < layers_; ++layer) next(w, block, side, layer);
        const float loss = errors(w, block, side, criterion, gradients);
        for (int layer = layers_ - 1; layer > 0; --layer) {
            split(block, side, layer, gradients);
            add_layer(layer, gradients);
            back(w, layer);
        }
        split_first(block, side, gradients);
        return loss;
    }

private:
    std::ptrdiff_t at(int layer, int sample) const { return (std::ptrdiff_t(layer) * kSamples + sample) * kWidth; }

    // k = relu(content), q = k sin(x); keeps what their derivatives need.
    ESR_INLINE Real unit(std::ptrdiff_t place, Real content, Real x) {
        const Real zero = _mm512_setzero_ps(), k = Vector::at_least(content, zero);
        const SineAndCosine wave = sine_and_cosine(x);
        const __mmask16 open = _mm512_cmp_ps_mask(content, zero, _CMP_GT_OQ);
        Vector::store(&sines_[place], _mm512_maskz_mov_ps(open, wave.sine));
        Vector::store(&slopes_[place], Vector::mul(k, wave.cosine));
        return Vector::mul(k, wave.sine);
    }

    void store_outputs(int layer, int sample, const Real (&q)[kVectors]) {
        Vector::store_bf16(&outputs_[at(layer, sample)], q);
    }

    void first(DecoderWeights &w, const SampleBlock &block, const PictureSide &side) {
        Real bias[kVectors], by_y[kVectors], by_x[kVectors];
        for (int v = 0; v < kVectors; ++v) {
            const float *p = w.position.data() + v * kSide;
            by_y[v] = Vector::load(p);
            by_x[v] = Vector::load(p + kWidth);
            bias[v] = Vector::fma(Vector::load(p + 2 * kWidth), Vector::broadcast(side.ratio), Vector::load(&w.bias[v * kSide]));
        }
        for (int s = 0; s < kSamples; ++s) {
            const float *map = side.maps + std::ptrdiff_t(block.pixel[s]) * side.row;
            Real q[kVectors];
            for (int v = 0; v < kVectors; ++v) {
                const Real x = Vector::fma(by_y[v], Vector::broadcast(block.y[s]),
                                           Vector::fma(by_x[v], Vector::broadcast(block.x[s]), bias[v]));
                q[v] = unit(at(0, s) + v * kSide, Vector::load(map + v * kSide), x);
            }
            store_outputs(0, s, q);
        }
    }

    void next(DecoderWeights &w, const SampleBlock &block, const PictureSide &side, int layer) {
        alignas(64) float sums[kSide * kBoth];
        const float *bias = w.bias.data() + layer * kWidth;
        for (int s0 = 0; s0 < kSamples; s0 += kSide) {
            multiply_row(&outputs_[at(layer - 1, s0)], w.forward_of(layer), sums);
            for (int s = s0; s < s0 + kSide; ++s) {
                const float *map = side.maps + std::ptrdiff_t(block.pixel[s]) * side.row + layer * kWidth;
                const float *sum = sums + (s - s0) * kBoth;
                Real q[kVectors];
                for (int v = 0; v < kVectors; ++v) {
                    const Real content = Vector::add(Vector::load(map + v * kSide), Vector::load(sum + v * kSide));
                    const Real x = Vector::add(Vector::load(sum + kWidth + v * kSide), Vector::load(bias + v * kSide));
                    q[v] = unit(at(layer, s) + v * kSide, content, x);
                }
                store_outputs(layer, s, q);
            }
        }
    }

    // The last layer's weights, and what its gradients gather meanwhile.
    struct LastLayer {
        Real weights[kColours][kVectors], added[kColours][kVectors];
        Colours bias, total = _mm_setzero_ps();

        explicit LastLayer(const DecoderWeights &w) : bias(_mm_loadu_ps(w.last_bias)) {
            for (int c = 0; c < kColours; ++c)
                for (int v = 0; v < kVectors; ++v) {
                    weights[c][v] = Vector::load(&w.last[c * kWidth + v * kSide]);
                    added[c][v] = _mm512_setzero_ps();
                }
        }
        void add_to(DecoderGradients &gradients) const {
            for (int c = 0; c < kColours; ++c)
                for (int v = 0; v < kVectors; ++v) SampleDecoder::add_to(&gradients.last[c * kWidth + v * kSide], added[c][v]);
            _mm_storeu_ps(gradients.last_bias.data(), _mm_add_ps(_mm_loadu_ps(gradients.last_bias.data()), total));
        }
    };

    // The last layer, the loss, and what comes back to its inputs.
    float errors(DecoderWeights &w, const SampleBlock &block, const PictureSide &side, const Criterion &criterion,
                 DecoderGradients &gradients) {
        alignas(64) float sums[kSide * kSide];
        const Bf16 *inputs = &outputs_[at(layers_ - 1, 0)];
        LastLayer last(w);
        float loss = 0;
        for (int s0 = 0; s0 < kSamples; s0 += kSide) {
            multiply_tile(inputs + s0 * kWidth, w.last_tile.data(), sums);
            for (int s = s0; s < s0 + kSide; ++s) {
                const Colours made = _mm_add_ps(_mm_loadu_ps(sums + (s - s0) * kSide), last.bias);
                const Counted counted = count_error(error_of(block, side, s, made), s < block.count ? block.weight[s] : 0.0f, criterion);
                loss += counted.loss;
                go_back(last, inputs + s * kWidth, counted.gradient, &back_[s * kWidth]);
            }
        }
        last.add_to(gradients);
        return loss;
    }

    // In [0, 1], of what the network adds to the base in [-1, 1].
    static ESR_INLINE Colours error_of(const SampleBlock &block, const PictureSide &side, int s, Colours made) {
        const Colours colours = _mm_castsi128_ps(_mm_setr_epi32(-1, -1, -1, 0)), half = _mm_set1_ps(0.5f);
        const float *pixel = side.image + std::ptrdiff_t(block.pixel[s]) * 4;
        const Colours all = _mm_add_ps(made, base_at(pixel, side.pitch, block.y[s], block.x[s]));
        return _mm_and_ps(_mm_sub_ps(_mm_fmadd_ps(all, half, half), _mm_load_ps(block.target[s])), colours);
    }

    static ESR_INLINE void go_back(LastLayer &last, const Bf16 *inputs, Colours gradient, float *back) {
        alignas(16) float by_colour[4];
        _mm_store_ps(by_colour, gradient);
        last.total = _mm_add_ps(last.total, gradient);
        for (int v = 0; v < kVectors; ++v) {
            const __m256i halves = _mm256_load_si256(reinterpret_cast<const __m256i *>(inputs + v * kSide));
            const Real q = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
            Real sum = _mm512_setzero_ps();
            for (int c = 0; c < kColours; ++c) {
                const Real g = Vector::broadcast(by_colour[c]);
                sum = Vector::fma(last.weights[c][v], g, sum);
                last.added[c][v] = Vector::fma(q, g, last.added[c][v]);
            }
            Vector::store(back + v * kSide, sum);
        }
    }

    static ESR_INLINE void add_to(float *sum, Real value) { Vector::store(sum, Vector::add(Vector::load(sum), value)); }

    // What comes back to a layer's outputs, taken apart: to its content, and to the argument of its sine.
    struct Parts {
        Real content, argument;
    };
    ESR_INLINE Parts parts(int layer, int sample, int v) const {
        const Real g = Vector::load(&back_[sample * kWidth + v * kSide]);
        const std::ptrdiff_t place = at(layer, sample) + v * kSide;
        return {Vector::mul(g, Vector::load(&sines_[place])), Vector::mul(g, Vector::load(&slopes_[place]))};
    }

    void split(const SampleBlock &block, const PictureSide &side, int layer, DecoderGradients &gradients) {
        Real bias[kVectors] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        for (int s = 0; s < kSamples; ++s) {
            float *map = side.map_gradients + std::ptrdiff_t(block.pixel[s]) * side.row + layer * kWidth;
            Real content[kVectors], argument[kVectors];
            for (int v = 0; v < kVectors; ++v) {
                const Parts both = parts(layer, s, v);
                content[v] = both.content;
                argument[v] = both.argument;
                add_to(map + v * kSide, both.content);
                bias[v] = Vector::add(bias[v], both.argument);
            }
            Vector::store_bf16(&both_[s * kBoth], content);
            Vector::store_bf16(&both_[s * kBoth + kWidth], argument);
        }
        for (int v = 0; v < kVectors; ++v) add_to(&gradients.bias[layer * kWidth + v * kSide], bias[v]);
    }

    // Products over the samples: what came back to a layer by what the one before it gave.
    void add_layer(int layer, DecoderGradients &gradients) {
        float unused[kWidth] = {};
        to_pairs(&outputs_[at(layer - 1, 0)], kWidth, kSamples, pairs_.data(), unused);
        to_planes(both_.data(), kBoth, kSamples, planes_.data(), kSamples);
        const Bf16 *rows[kBoth / kSide];
        for (int unit = 0; unit < kBoth / kSide; ++unit) rows[unit] = &planes_[unit * kSide * kSamples];
        add_gradients(rows, kBoth / kSide, kSamples, pairs_.data(), kWidth, 0, kSamples, gradients.products_of(layer));
    }

    void back(DecoderWeights &w, int layer) {
        static constexpr std::ptrdiff_t offsets[] = {0, kWidth};
        static constexpr int pairs[] = {kWidth / 2, kWidth / 2};
        const Taps taps{w.backward_of(layer), offsets, pairs, 2, kVectors};
        for (int s = 0; s < kSamples; s += 2 * kSide)
            convolve_square(taps, 0, &both_[s * kBoth], kBoth, &back_[s * kWidth], [](int) {});
    }

    void split_first(const SampleBlock &block, const PictureSide &side, DecoderGradients &gradients) {
        for (int v = 0; v < kVectors; ++v) {
            Real bias = _mm512_setzero_ps(), by_y = bias, by_x = bias;
            for (int s = 0; s < kSamples; ++s) {
                const Parts both = parts(0, s, v);
                add_to(side.map_gradients + std::ptrdiff_t(block.pixel[s]) * side.row + v * kSide, both.content);
                bias = Vector::add(bias, both.argument);
                by_y = Vector::fma(both.argument, Vector::broadcast(block.y[s]), by_y);
                by_x = Vector::fma(both.argument, Vector::broadcast(block.x[s]), by_x);
            }
            float *position = &gradients.position[v * kSide];
            add_to(&gradients.bias[v * kSide], bias);
            add_to(position, by_y);
            add_to(position + kWidth, by_x);
            add_to(position + 2 * kWidth, Vector::mul(bias, Vector::broadcast(side.ratio)));
        }
    }

    int layers_;
    esr::Buffer<Bf16> outputs_;
    esr::Buffer<float> sines_, slopes_, back_;
    esr::Buffer<Bf16> both_, pairs_, planes_;
};

}  // namespace
