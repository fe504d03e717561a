// All weights of a step in the order of its products, and one thread's gradients.
#pragma once

#include "arch/x86/training/convolution.h"
#include "arch/x86/training/decoder_weights.h"

namespace {

// The steps along the patch that the chunks of a convolution of `channels` take.
struct Steps {
    Steps(int channels, const Geometry &g) {
        const Chunks chunks(channels);
        for (int chunk = 0; chunk < chunks.count(); ++chunk) {
            offsets.push_back(chunks.offset(chunk, g));
            pairs.push_back(chunks.pairs(chunk));
        }
    }
    Taps taps(const Bf16 *weights, int outputs) const {
        return {weights, offsets.data(), pairs.data(), int(offsets.size()), outputs / kSide};
    }

    std::vector<std::ptrdiff_t> offsets;
    std::vector<int> pairs;
};

// One 3 x 3 convolution: packed both ways, with the steps that its chunks take.
struct TrainedConvolution {
    TrainedConvolution(int inputs_, int outputs_, const Geometry &g)
        : inputs(inputs_), outputs(outputs_), forward(packed_size(inputs_, outputs_)), backward(packed_size(outputs_, inputs_)),
          bias(outputs_), ahead(inputs_, g), behind(outputs_, g) {}

    int inputs, outputs;
    esr::Buffer<Bf16> forward, backward;
    esr::Buffer<float> bias;
    Steps ahead, behind;

    Taps taps() const { return ahead.taps(forward.data(), outputs); }
    Taps taps_back() const { return behind.taps(backward.data(), inputs); }
    std::size_t gradient_size() const { return std::size_t(kTaps) * inputs * outputs; }

    // value(output, input, tap)
    template <class Value>
    void pack(const Value &value) {
        pack_convolution(forward.data(), inputs, outputs, value);
        pack_convolution(backward.data(), outputs, inputs,
                         [&](int output, int input, int tap) { return value(input, output, kTaps - 1 - tap); });
    }
};

// The head reads 27 values a pixel, gathered beforehand: one chunk.
struct TrainedHead {
    explicit TrainedHead(int outputs_)
        : outputs(outputs_), forward(std::size_t(outputs_ / kSide) * kTileValues), bias(outputs_) {}

    int outputs;
    esr::Buffer<Bf16> forward;
    esr::Buffer<float> bias;
    std::ptrdiff_t ahead = 0;
    int pairs = (kTaps * kColours + 1) / 2;

    Taps taps() const { return {forward.data(), &ahead, &pairs, 1, outputs / kSide}; }

    void pack(const float *weight, const float *b) {
        for (int n = 0; n < outputs; ++n) bias[n] = b[n];
        for (int tile = 0; tile < outputs / kSide; ++tile)
            pack_tile(forward.data() + tile * kTileValues, [&](int k, int n) {
                return k < kTaps * kColours ? weight[((tile * kSide + n) * kColours + k % kColours) * kTaps + k / kColours] : 0.0f;
            });
    }
};

struct NetworkWeights {
    NetworkWeights(const Form &f, const Geometry &g) : form(f), head(f.channels), content(f.channels, f.maps(), g), decoder(f.layers) {
        for (int i = 1; i < f.convolutions(); ++i) body.emplace_back(f.channels, f.channels, g);
    }

    Form form;
    TrainedHead head;
    std::vector<TrainedConvolution> body;  // two a block, then the tail
    TrainedConvolution content;
    DecoderWeights decoder;

    // Parts of the work, for threads to share.
    int parts() const { return int(body.size()) + 3; }
    void pack(int part, const float *const *values) {
        const int layers = int(body.size()), c = form.channels;
        if (part < layers) {
            const float *weight = values[2 * (part + 1)], *b = values[2 * (part + 1) + 1];
            for (int n = 0; n < c; ++n) body[part].bias[n] = b[n];
            body[part].pack([&](int n, int k, int tap) { return weight[(n * c + k) * kTaps + tap]; });
        } else if (part == layers) {
            head.pack(values[0], values[1]);
        } else if (part == layers + 1) {
            pack_content(values);
        } else {
            decoder.pack(form, values);
        }
    }

private:
    void pack_content(const float *const *values) {
        for (int layer = 0; layer < form.layers; ++layer)
            for (int n = 0; n < form.widths[layer]; ++n)
                content.bias[layer * kWidth + n] = values[form.modulation(layer) + 1][n];
        content.pack([&](int n, int k, int tap) {
            const int layer = n / kWidth, before = form.width_before(layer), own = n % kWidth;
            if (own >= form.widths[layer]) return 0.0f;
            return values[form.modulation(layer)][own * (before + kTaps * form.channels) + before + k * kTaps + tap];
        });
    }
};

struct NetworkGradients {
    explicit NetworkGradients(const NetworkWeights &w)
        : head(std::size_t(2) * kSide * w.form.channels), head_bias(w.form.channels), content(w.content.gradient_size()),
          content_bias(w.form.maps()), decoder(w.form.layers) {
        for (const TrainedConvolution &convolution : w.body) {
            body.emplace_back(convolution.gradient_size());
            bias.emplace_back(w.form.channels);
        }
    }

    esr::Buffer<float> head, head_bias;
    std::vector<esr::Buffer<float>> body, bias;
    esr::Buffer<float> content, content_bias;
    DecoderGradients decoder;
    double loss = 0;

    void clear() {
        zero(head);
        zero(head_bias);
        zero(content);
        zero(content_bias);
        for (auto &each : body) zero(each);
        for (auto &each : bias) zero(each);
        decoder.each(decoder, [](float &mine, float &) { mine = 0; });
        loss = 0;
    }

private:
    static void zero(esr::Buffer<float> &values) { std::memset(values.data(), 0, values.size() * sizeof(float)); }
};

// Where output n and input k of a tap lie among the sums of add_products.
inline std::size_t product_place(int n, int k, int tap, int inputs, int outputs) {
    const int unit = tap * (inputs / kSide) + k / kSide;
    return std::size_t(unit * (outputs / kSide) + n / kSide) * kTileSums + k % kSide * kSide + n % kSide;
}

// Sums the threads' gradients of one part and writes them in the parameters' own order.
class GradientSum {
public:
    GradientSum(const NetworkWeights &w, const std::vector<NetworkGradients *> &threads, float *const *out)
        : w_(w), form_(w.form), threads_(threads), out_(out) {}

    void write(int part) const {
        const int layers = int(w_.body.size()), c = form_.channels;
        if (part < layers) {
            write_convolution(part);
        } else if (part == layers) {
            write_each(out_[1], c, [&](const NetworkGradients &g, int i) { return g.head_bias[i]; });
            write_each(out_[0], c * kColours * kTaps, [&](const NetworkGradients &g, int i) {
                const int k = i % kTaps * kColours + i / kTaps % kColours, n = i / (kTaps * kColours);
                return g.head[product_place(n, k % kSide, k / kSide, kSide, c)];
            });
        } else if (part == layers + 1) {
            for (int layer = 0; layer < form_.layers; ++layer) write_modulation(layer);
        } else {
            write_synthesis();
        }
    }

private:
    template <class Value>
    void write_each(float *out, int count, const Value &value) const {
        for (int i = 0; i < count; ++i) {
            float sum = 0;
            for (const NetworkGradients *thread : threads_) sum += value(*thread, i);
            out[i] = sum;
        }
    }

    void write_convolution(int index) const {
        const int c = form_.channels;
        float *weight = out_[2 * (index + 1)];
        write_each(weight, c * c * kTaps, [&](const NetworkGradients &g, int i) {
            return g.body[index][product_place(i / (c * kTaps), i / kTaps % c, i % kTaps, c, c)];
        });
        write_each(out_[2 * (index + 1) + 1], c, [&](const NetworkGradients &g, int i) { return g.bias[index][i]; });
    }

    void write_modulation(int layer) const {
        const int before = form_.width_before(layer), c = form_.channels, pitch = before + kTaps * c, maps = form_.maps();
        const int width = form_.widths[layer], first = layer * kWidth;
        write_each(out_[form_.modulation(layer)], width * pitch, [&](const NetworkGradients &g, int i) {
            const int n = i / pitch, k = i % pitch - before;
            if (k < 0) return g.decoder.product(layer, n, k + before);
            return g.content[product_place(first + n, k / kTaps, k % kTaps, c, maps)];
        });
        write_each(out_[form_.modulation(layer) + 1], width,
                   [&](const NetworkGradients &g, int i) { return g.content_bias[first + i]; });
    }

    void write_synthesis() const {
        for (int layer = 0; layer < form_.layers; ++layer) {
            const int width = form_.widths[layer], inputs = layer ? form_.width_before(layer) : kPositions;
            write_each(out_[form_.synthesis(layer)], width * inputs, [&](const NetworkGradients &g, int i) {
                const int n = i / inputs, k = i % inputs;
                return layer ? g.decoder.product(layer, kWidth + n, k) : g.decoder.position[k * kWidth + n];
            });
            write_each(out_[form_.synthesis(layer) + 1], width,
                       [&](const NetworkGradients &g, int i) { return g.decoder.bias[layer * kWidth + i]; });
        }
        const int width = form_.widths[form_.layers - 1];
        write_each(out_[form_.last()], kColours * width,
                   [&](const NetworkGradients &g, int i) { return g.decoder.last[i / width * kWidth + i % width]; });
        write_each(out_[form_.last() + 1], kColours, [&](const NetworkGradients &g, int i) { return g.decoder.last_bias[i]; });
    }

    const NetworkWeights &w_;
    const Form &form_;
    const std::vector<NetworkGradients *> &threads_;
    float *const *out_;
};

}  // namespace
