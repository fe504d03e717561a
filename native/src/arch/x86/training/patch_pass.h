// One patch through the whole network and back.
#pragma once

#include <algorithm>
#include <cmath>

#include "arch/x86/training/network_weights.h"
#include "arch/x86/training/samples.h"

namespace {

// A patch of a batch: p x p LR pixels, `samples` HR samples in each.
struct Patch {
    const std::uint8_t *low;     // p x p x 3
    const float *offsets;        // p x p x samples x 2, y and x
    const std::uint8_t *target;  // p x p x samples x 3
    const float *weights;        // p x p
    float ratio;
};

struct Loss {
    Criterion criterion;
    float floor;
    int batch;
};

class PatchPass {
public:
    PatchPass(const Form &form, const Geometry &g, int samples)
        : form_(form), g_(g), samples_(samples), inside_(g.total), image_(std::size_t(g.total) * 4),
          columns_(std::size_t(g.total) * kDepth), stream_(values()), head_(values()), features_(values()), back_(values()),
          inner_(values()), maps_(std::size_t(g.total) * form.maps()), map_gradients_(maps_.size()), map_back_(maps_.size()),
          planes_(std::size_t(g.total) * kDepth), pairs_(std::size_t(g.count) * form.maps()), decoder_(form), part_(form.layers) {
        for (int y = 0; y < g.patch; ++y)
            for (int x = 0; x < g.patch; ++x) inside_[g.at(y, x)] = 0xffff;
        for (int i = 0; i <= form.blocks; ++i) inputs_.emplace_back(values());
        for (int i = 0; i < form.blocks; ++i) hidden_.emplace_back(values());
    }

    void run(NetworkWeights &w, const Patch &patch, const Loss &loss, NetworkGradients &gradients) {
        read(patch);
        forward(w);
        const float factor = decode(w, patch, loss, gradients);
        backward(w, factor, gradients);
    }

private:
    static constexpr int kStrip = 256;

    std::size_t values() const { return std::size_t(g_.total) * form_.channels; }

    // Where the patch's run has pixels, and where their channels lie.
    struct Grid {
        const std::uint16_t *inside;
        int channels;

        ESR_INLINE std::ptrdiff_t at(int pixel, int vector) const { return std::ptrdiff_t(pixel) * channels + vector * kSide; }
        // Zero wherever there is no pixel.
        ESR_INLINE Real kept(int pixel, Real v) const { return _mm512_maskz_mov_ps(inside[pixel], v); }
    };
    Grid grid() const { return {inside_.data(), form_.channels}; }

    void read(const Patch &patch) {
        const int p = g_.patch;
        for (int y = -1; y <= p; ++y)
            for (int x = -1; x <= p; ++x) {
                const int row = y < 0 ? 0 : y < p ? y : p - 1, column = x < 0 ? 0 : x < p ? x : p - 1;
                for (int c = 0; c < kColours; ++c)
                    image_[std::size_t(g_.at(y, x)) * 4 + c] = float(patch.low[(row * p + column) * kColours + c]) * (2 / 255.0f) - 1;
            }
        for (int y = 0; y < p; ++y)
            for (int x = 0; x < p; ++x) gather(y, x);
    }

    // A pixel's 27 neighbouring values, zero outside the patch.
    void gather(int y, int x) {
        alignas(64) float values[kDepth] = {};
        for (int tap = 0; tap < kTaps; ++tap) {
            const int pixel = g_.at(y, x) + g_.tap(tap);
            if (!inside_[pixel]) continue;
            for (int c = 0; c < kColours; ++c) values[tap * kColours + c] = image_[std::size_t(pixel) * 4 + c];
        }
        const Real both[2] = {Vector::load(values), Vector::load(values + kSide)};
        Vector::store_bf16(&columns_[std::size_t(g_.at(y, x)) * kDepth], both);
    }

    void forward(NetworkWeights &w) {
        forward_head(w.head);
        for (int block = 0; block < form_.blocks; ++block) {
            forward_first(w.body[2 * block], inputs_[block].data(), hidden_[block].data());
            forward_second(w.body[2 * block + 1], hidden_[block].data(), inputs_[block + 1].data());
        }
        forward_tail(w.body.back());
        float *maps = maps_.data();
        const float *bias = w.content.bias.data();
        const int row = form_.maps();
        convolve(w.content.taps(), features_.data(), form_.channels, g_, [=](int i, int v, Real sum) {
            Vector::store(maps + std::size_t(i) * row + v * kSide, Vector::add(sum, Vector::load(bias + v * kSide)));
        });
    }

    // Pointers are held apart: a value that is stored could be one of them, for all that the compiler knows.
    void forward_head(const TrainedHead &c) {
        const Grid grid = this->grid();
        const float *bias = c.bias.data();
        float *head = head_.data(), *stream = stream_.data();
        Bf16 *out = inputs_[0].data();
        convolve(c.taps(), columns_.data(), kDepth, g_, [=](int i, int v, Real sum) {
            const std::ptrdiff_t at = grid.at(i, v);
            const Real y = grid.kept(i, Vector::add(sum, Vector::load(bias + v * kSide)));
            Vector::store(head + at, y);
            Vector::store(stream + at, y);
            Vector::store_value(out + at, y);
        });
    }

    void forward_first(const TrainedConvolution &c, const Bf16 *in, Bf16 *out) {
        const Grid grid = this->grid();
        const float *bias = c.bias.data();
        const Real zero = _mm512_setzero_ps();
        convolve(c.taps(), in, form_.channels, g_, [=](int i, int v, Real sum) {
            const Real y = Vector::at_least(Vector::add(sum, Vector::load(bias + v * kSide)), zero);
            Vector::store_value(out + grid.at(i, v), grid.kept(i, y));
        });
    }

    void forward_second(const TrainedConvolution &c, const Bf16 *in, Bf16 *out) {
        const Grid grid = this->grid();
        const float *bias = c.bias.data();
        float *stream = stream_.data();
        convolve(c.taps(), in, form_.channels, g_, [=](int i, int v, Real sum) {
            const std::ptrdiff_t at = grid.at(i, v);
            const Real y = grid.kept(i, Vector::add(sum, Vector::load(bias + v * kSide)));
            const Real all = Vector::add(Vector::load(stream + at), y);
            Vector::store(stream + at, all);
            Vector::store_value(out + at, all);
        });
    }

    void forward_tail(const TrainedConvolution &c) {
        const Grid grid = this->grid();
        const float *bias = c.bias.data(), *head = head_.data();
        Bf16 *out = features_.data();
        convolve(c.taps(), inputs_.back().data(), form_.channels, g_, [=](int i, int v, Real sum) {
            const std::ptrdiff_t at = grid.at(i, v);
            const Real y = Vector::add(sum, Vector::load(bias + v * kSide));
            Vector::store_value(out + at, grid.kept(i, Vector::add(y, Vector::load(head + at))));
        });
    }

    // Adds the patch's loss; returns what its gradients are to be multiplied by.
    float decode(NetworkWeights &w, const Patch &patch, const Loss &loss, NetworkGradients &gradients) {
        std::memset(map_gradients_.data(), 0, map_gradients_.size() * sizeof(float));
        part_.each(part_, [](float &mine, float &) { mine = 0; });
        const PictureSide side{maps_.data(), map_gradients_.data(), image_.data(), form_.maps(), g_.pitch, patch.ratio};
        const int all = g_.patch * g_.patch * samples_;
        double sum = 0;
        for (int s = 0; s < all; s += kSamples) {
            place(patch, s, all - s < kSamples ? all - s : kSamples);
            sum += decoder_.run(w.decoder, block_, side, loss.criterion, part_);
        }
        const double mean = sum / all, share = 1.0 / loss.batch;
        const bool absolute = loss.criterion.absolute;
        gradients.loss += share * (absolute ? mean : 0.05 * std::log(mean + loss.floor));
        const float factor = float(share / all * (absolute ? 1 : 0.05 / (mean + loss.floor)));
        gradients.decoder.each(part_, [factor](float &mine, float &theirs) { mine += factor * theirs; });
        return factor;
    }

    void place(const Patch &patch, int first, int count) {
        block_.count = count;
        for (int s = 0; s < kSamples; ++s) {
            const int sample = first + (s < count ? s : 0), pixel = sample / samples_;
            block_.pixel[s] = g_.at(pixel / g_.patch, pixel % g_.patch);
            block_.y[s] = patch.offsets[2 * sample];
            block_.x[s] = patch.offsets[2 * sample + 1];
            block_.weight[s] = patch.weights[pixel];
            for (int c = 0; c < kColours; ++c) block_.target[s][c] = float(patch.target[sample * kColours + c]) * (1 / 255.0f);
            block_.target[s][3] = 0;
        }
    }

    void backward(NetworkWeights &w, float factor, NetworkGradients &gradients) {
        const int row = form_.maps(), channels = form_.channels;
        for (std::size_t i = 0; i < map_back_.size(); i += kSide)
            Vector::store_value(&map_back_[i], Vector::mul(Vector::load(&map_gradients_[i]), Vector::broadcast(factor)));
        add_convolution(features_.data(), map_back_.data(), row, gradients.content, gradients.content_bias);
        backward_content(w.content);
        const int tail = int(w.body.size()) - 1;
        add_convolution(inputs_.back().data(), inner_.data(), channels, gradients.body[tail], gradients.bias[tail]);
        backward_stream<false>(w.body[tail]);
        for (int block = form_.blocks - 1; block >= 0; --block) backward_block(w, block, gradients);
        for (std::size_t i = 0; i < values(); i += kSide)
            Vector::store_value(&back_[i], Vector::add(Vector::load(&stream_[i]), Vector::load(&head_[i])));
        add_head(gradients);
    }

    void backward_block(NetworkWeights &w, int block, NetworkGradients &gradients) {
        const int one = 2 * block, two = one + 1, channels = form_.channels;
        add_convolution(hidden_[block].data(), back_.data(), channels, gradients.body[two], gradients.bias[two]);
        backward_second(w.body[two], hidden_[block].data());
        add_convolution(inputs_[block].data(), inner_.data(), channels, gradients.body[one], gradients.bias[one]);
        backward_stream<true>(w.body[one]);
    }

    void backward_content(const TrainedConvolution &c) {
        const Grid grid = this->grid();
        float *head = head_.data();
        Bf16 *out = inner_.data();
        convolve(c.taps_back(), map_back_.data(), form_.maps(), g_, [=](int i, int v, Real sum) {
            const std::ptrdiff_t at = grid.at(i, v);
            Vector::store(head + at, grid.kept(i, sum));
            Vector::store_value(out + at, grid.kept(i, sum));
        });
    }

    void backward_second(const TrainedConvolution &c, const Bf16 *hidden) {
        const Grid grid = this->grid();
        Bf16 *out = inner_.data();
        convolve(c.taps_back(), back_.data(), form_.channels, g_, [=](int i, int v, Real sum) {
            const std::ptrdiff_t at = grid.at(i, v);
            const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(hidden + at));
            Vector::store_value(out + at, _mm512_maskz_mov_ps(_mm256_test_epi16_mask(halves, halves), sum));
        });
    }

    // Back to the residual stream: to what already came along it, or as the first of all.
    template <bool kAdds>
    void backward_stream(const TrainedConvolution &c) {
        const Grid grid = this->grid();
        float *stream = stream_.data();
        Bf16 *out = back_.data();
        convolve(c.taps_back(), inner_.data(), form_.channels, g_, [=](int i, int v, Real sum) {
            const std::ptrdiff_t at = grid.at(i, v);
            const Real y = grid.kept(i, sum), all = kAdds ? Vector::add(Vector::load(stream + at), y) : y;
            Vector::store(stream + at, all);
            Vector::store_value(out + at, all);
        });
    }

    // A convolution's weight and bias gradients from what it read and what comes back to it.
    void add_convolution(const Bf16 *read, const Bf16 *back, int outputs, esr::Buffer<float> &weight, esr::Buffer<float> &bias) {
        const int channels = form_.channels, halves = channels / kSide;
        to_planes(read, channels, g_.total / kDepth * kDepth, planes_.data(), g_.total);
        to_pairs(back + std::size_t(g_.first) * outputs, outputs, g_.count, pairs_.data(), bias.data());
        const Bf16 *rows[kTaps * 2];
        for (int unit = 0; unit < kTaps * halves; ++unit)
            rows[unit] = &planes_[std::size_t(unit % halves) * kSide * g_.total] + g_.first + g_.tap(unit / halves);
        // As many pixels at a time as stay in the first cache for all taps.
        for (int i = 0; i < g_.count; i += kStrip)
            add_gradients(rows, kTaps * halves, g_.total, pairs_.data(), outputs, i, std::min(g_.count, i + kStrip), weight.data());
    }

    void add_head(NetworkGradients &gradients) {
        const int channels = form_.channels;
        to_planes(columns_.data(), kDepth, g_.total / kDepth * kDepth, planes_.data(), g_.total);
        to_pairs(back_.data() + std::size_t(g_.first) * channels, channels, g_.count, pairs_.data(), gradients.head_bias.data());
        const Bf16 *rows[2] = {&planes_[g_.first], &planes_[std::size_t(kSide) * g_.total + g_.first]};
        add_gradients(rows, 2, g_.total, pairs_.data(), channels, 0, g_.count, gradients.head.data());
    }

    const Form &form_;
    const Geometry &g_;
    int samples_;
    esr::Buffer<std::uint16_t> inside_;
    esr::Buffer<float> image_;
    esr::Buffer<Bf16> columns_;
    // Backwards, `stream_` holds what comes back along the residual stream, and `head_` what does past it.
    esr::Buffer<float> stream_, head_;
    esr::Buffer<Bf16> features_, back_, inner_;
    std::vector<esr::Buffer<Bf16>> inputs_, hidden_;
    esr::Buffer<float> maps_, map_gradients_;
    esr::Buffer<Bf16> map_back_, planes_, pairs_;
    SampleDecoder decoder_;
    SampleBlock block_;
    DecoderGradients part_;
};

}  // namespace
