// An encoder as the layers that a frame goes through, weights in the order in which a kernel reads them.
#pragma once

#include <vector>

#include "common/buffer.h"
#include "encoder/kernel.h"
#include "esr_native.h"

namespace esr {

// Whether sizes are sane, every pointer that will be read is there, and the kernel can run it.
bool valid(const esr_encoder_network &network, const EncoderKernel &kernel);

// Float rows that a layer adds to its sums, or writes them to.
enum class Plane { None, Head, Stream };

// What a convolution wants to read.
struct Reading {
    Format format;
    float scale;  // Int8 and Int16
    int zero;     // Int8, as the kernel stores levels

    bool operator==(const Reading &other) const {
        return format == other.format && scale == other.scale && zero == other.zero;
    }
};

// What is done to every row of a frame before the next layer can have it. Activations lie in two buffers by turns.
struct Layer {
    enum Kind { Load, Convolve, Convert } kind;
    Convolution convolution;
    int in, out;  // buffers
    Plane addend, sum;
    int input_zero;  // the level, or 0, of rows beyond the frame
    int first_map;
};

class PackedEncoder {
public:
    PackedEncoder(const esr_encoder_network &network, const EncoderKernel &kernel);

    const std::vector<Layer> &layers() const { return layers_; }
    int channels() const { return channels_; }  // of the residual stream, padded
    int maps() const { return maps_; }
    int widest() const { return widest_; }  // channels of the widest layer, padded
    bool small_groups() const { return small_groups_; }

private:
    Reading reading(const esr_convolution &source) const;
    Reading content_reading(const esr_convolution &source) const;
    Layer packed(const esr_convolution &source, const Reading &input, bool maps = false);
    void pack_floats(const esr_convolution &source, Convolution &c, const WeightOrder &order, float factor);
    void pack_words(const esr_convolution &source, const Reading &input, Convolution &c);
    void pack_levels(const esr_convolution &source, const Reading &input, Convolution &c);
    void add(Layer layer, const Reading &output);
    void add_image(const esr_encoder_network &network);
    void add_body(const esr_encoder_network &network);
    void add_contents(const esr_encoder_network &network);

    const EncoderKernel &kernel_;
    std::vector<Layer> layers_;
    std::vector<Buffer<float>> floats_;
    std::vector<Buffer<std::int32_t>> integers_;
    std::vector<Buffer<char>> weights_;
    int channels_ = 0, maps_ = 0, widest_ = 0;
    bool small_groups_ = false;
};

}  // namespace esr
