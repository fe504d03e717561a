#include "encoder/packing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "encoder/weights.h"

namespace esr {
namespace {

constexpr int kColours = 3, kMaxChannels = 64, kMaxBlocks = 64, kMaxContents = 16, kMaxMaps = 4096;
constexpr int kLanes = 16, kSignedOffset = 128;
// Where a stated range lies among words, with room for four times as much; and of a sum, less what rounded weights may add.
constexpr float kWordRange = 8191.0f;
constexpr double kLargestWord = 32767, kLargestSum = 2.1e9;
constexpr float kImageFactor = 2.0f / 255.0f;  // images enter as levels around their middle

int padded(int channels) {
    const int whole = (channels + kLanes - 1) / kLanes * kLanes;
    return whole == 48 ? 64 : whole;  // kernels know 16, 32 and 64 channels
}

int padded_maps(int channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

int convolutions(const esr_encoder_network &network) { return 2 + 2 * network.blocks + network.contents; }

bool valid_convolution(const esr_convolution &c, int inputs, int outputs, bool int8) {
    if (c.inputs != inputs || (outputs ? c.outputs != outputs : c.outputs < 1 || c.outputs > kMaxMaps)) return false;
    if (!c.levels) return c.weight && c.bias && std::isfinite(c.input_range) && c.input_range >= 0.0f;
    return int8 && c.level_scale && c.bias_levels && c.input_scale > 0.0f && c.input_zero >= 0 && c.input_zero <= 255;
}

}  // namespace

bool valid(const esr_encoder_network &network, const EncoderKernel &kernel) {
    const int channels = network.channels;
    if (!network.convolutions || channels < 1 || channels > kMaxChannels) return false;
    if (network.blocks < 0 || network.blocks > kMaxBlocks || network.contents < 1 || network.contents > kMaxContents)
        return false;
    const esr_convolution *c = network.convolutions;
    if (c->levels || !valid_convolution(*c, kColours, channels, false)) return false;
    const esr_convolution *contents = c + convolutions(network) - network.contents;
    for (++c; c != contents; ++c)
        if (!valid_convolution(*c, channels, channels, kernel.int8)) return false;
    return std::all_of(contents, contents + network.contents,
                       [&](const esr_convolution &one) { return valid_convolution(one, channels, 0, kernel.int8); });
}

PackedEncoder::PackedEncoder(const esr_encoder_network &network, const EncoderKernel &kernel)
    : kernel_(kernel), channels_(padded(network.channels)) {
    add_image(network);
    add_body(network);
    add_contents(network);
    for (const Layer &layer : layers_) {
        widest_ = std::max(widest_, layer.convolution.out_channels);
        small_groups_ = small_groups_ || layer.convolution.out_channels % kGroup != 0;
    }
}

Reading PackedEncoder::reading(const esr_convolution &source) const {
    if (!source.levels && kernel_.int16 && source.input_range > 0.0f) return {Format::Int16, source.input_range / kWordRange, 0};
    if (!source.levels) return {kernel_.format, 0.0f, 0};
    return {Format::Int8, source.input_scale, source.input_zero - (kernel_.signed_levels ? kSignedOffset : 0)};
}

// Where content layers read planes, nothing else writes them: the residual stream is converted.
Reading PackedEncoder::content_reading(const esr_convolution &source) const {
    Reading one = reading(source);
    if (kernel_.planes) one.format = source.levels ? Format::Int8Planes : Format::Bf16Planes;
    return one;
}

Layer PackedEncoder::packed(const esr_convolution &source, const Reading &input, bool maps) {
    const bool head = layers_.size() == 1;
    Layer layer{};
    layer.kind = Layer::Convolve;
    layer.input_zero = input.zero;
    Convolution &c = layer.convolution;
    c.input = input.format;
    c.finish = Finish::Clip;
    c.floor = -std::numeric_limits<float>::infinity();
    c.in_channels = head ? kImageChannels : channels_;
    c.maps = maps;
    c.map_channels = source.outputs;
    c.out_channels = maps ? padded_maps(source.outputs) : channels_;
    if (source.levels)
        pack_levels(source, input, c);
    else if (input.format == Format::Int16)
        pack_words(source, input, c);
    else
        pack_floats(source, c, kernel_.order, head ? kImageFactor : 1.0f);
    return layer;
}

void PackedEncoder::pack_floats(const esr_convolution &source, Convolution &c, const WeightOrder &order, float factor) {
    weights_.push_back(arrange_floats(source, c, order, factor));
    floats_.emplace_back(std::size_t(c.out_channels));
    std::copy_n(source.bias, source.outputs, floats_.back().data());
    c.weights = weights_.back().data();
    c.bias = floats_.back().data();
}

// Weights as fine as no sum can leave 32 bits, whatever the words of the input.
void PackedEncoder::pack_words(const esr_convolution &source, const Reading &input, Convolution &c) {
    Buffer<float> scale(std::size_t(c.out_channels)), sums(std::size_t(c.out_channels));
    integers_.emplace_back(std::size_t(c.out_channels));
    const std::size_t each = std::size_t(source.inputs) * kTaps * kTaps;
    for (int i = 0; i < source.outputs; ++i) {
        double total = 0, largest = 0;
        for (std::size_t j = 0; j < each; ++j) {
            const double weight = std::fabs(double(source.weight[i * each + j]));
            total += weight;
            largest = std::max(largest, weight);
        }
        const double bias = source.bias[i] / double(input.scale);
        const double finest = std::max((total * (kLargestWord + 1) + std::fabs(bias)) / kLargestSum, largest / kLargestWord);
        scale[std::size_t(i)] = float(std::max(finest, 1e-30));
        sums[std::size_t(i)] = scale[std::size_t(i)] * input.scale;
        integers_.back()[std::size_t(i)] = std::int32_t(std::lrint(bias / scale[std::size_t(i)]));
    }
    weights_.push_back(arrange_words(source, c, {2, 0, 0}, scale.data()));
    floats_.push_back(std::move(sums));
    c.weights = weights_.back().data();
    c.start = integers_.back().data();
    c.scale = floats_.back().data();
}

// Sums start from the bias in levels, less what the zero point adds to every product.
void PackedEncoder::pack_levels(const esr_convolution &source, const Reading &input, Convolution &c) {
    weights_.push_back(arrange_levels(source, c, kernel_.int8_order));
    floats_.emplace_back(std::size_t(c.out_channels));
    integers_.emplace_back(std::size_t(c.out_channels));
    const std::size_t each = std::size_t(source.inputs) * kTaps * kTaps;
    for (int i = 0; i < source.outputs; ++i) {
        std::int64_t total = 0;
        for (std::size_t j = 0; j < each; ++j) total += source.levels[i * each + j];
        integers_.back()[std::size_t(i)] = std::int32_t(source.bias_levels[i] - input.zero * total);
        floats_.back()[std::size_t(i)] = source.input_scale * source.level_scale[i];
    }
    c.weights = weights_.back().data();
    c.start = integers_.back().data();
    c.scale = floats_.back().data();
}

// The next layer, writing what the one after it reads.
void PackedEncoder::add(Layer layer, const Reading &output) {
    layer.in = layers_.empty() ? 0 : layers_.back().out;
    layer.out = 1 - layer.in;
    Convolution &c = layer.convolution;
    c.output = output.format;
    c.to_levels = output.scale > 0.0f ? 1.0f / output.scale : 0.0f;
    c.zero = float(output.zero);
    layers_.push_back(layer);
}

void PackedEncoder::add_image(const esr_encoder_network &network) {
    const Reading head{kernel_.head_format, 0.0f, 0};
    Layer load{};
    load.kind = Layer::Load;
    load.convolution.out_channels = kImageChannels;
    add(load, head);
    Layer first = packed(network.convolutions[0], head);
    first.convolution.finish = Finish::Keep;
    first.sum = Plane::Head;
    add(first, reading(network.convolutions[1]));
}

void PackedEncoder::add_body(const esr_encoder_network &network) {
    const esr_convolution *c = network.convolutions + 1;
    for (int i = 0; i < 2 * network.blocks + 1; ++i, ++c) {
        const bool tail = i == 2 * network.blocks, first_of_block = !tail && i % 2 == 0;
        Layer layer = packed(*c, reading(*c));
        if (first_of_block) {
            layer.convolution.floor = 0.0f;
        } else {
            layer.convolution.finish = Finish::Add;
            layer.addend = tail || i == 1 ? Plane::Head : Plane::Stream;
            layer.sum = Plane::Stream;
        }
        add(layer, tail && kernel_.planes ? Reading{Format::Nothing, 0.0f, 0} : reading(c[1]));
    }
}

// All read the same features; where they want them in another form, these are converted from the residual stream.
void PackedEncoder::add_contents(const esr_encoder_network &network) {
    const esr_convolution *c = network.convolutions + convolutions(network) - network.contents;
    Reading present = kernel_.planes ? Reading{Format::Nothing, 0.0f, 0} : reading(*c);
    int buffer = layers_.back().out;
    for (int i = 0; i < network.contents; ++i, ++c) {
        const Reading wanted = content_reading(*c);
        if (!(wanted == present)) {
            Layer convert{};
            convert.kind = Layer::Convert;
            convert.sum = Plane::Stream;
            convert.convolution.out_channels = channels_;
            convert.convolution.floor = -std::numeric_limits<float>::infinity();
            add(convert, wanted);
            layers_.back().out = 1 - buffer;
            buffer = 1 - buffer;
            present = wanted;
        }
        Layer layer = packed(*c, wanted, true);
        layer.convolution.floor = c->relu ? 0.0f : layer.convolution.floor;
        layer.first_map = maps_;
        maps_ += c->outputs;
        add(layer, {Format::Float, 0.0f, 0});
        layers_.back().in = buffer;
        layers_.back().out = buffer;
    }
}

}  // namespace esr
