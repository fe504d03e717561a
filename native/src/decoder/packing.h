// A network's weights in the order in which a kernel reads them.
#pragma once

#include <vector>

#include "common/buffer.h"
#include "esr_native.h"
#include "decoder/kernel.h"

namespace esr {

// Whether sizes are sane and every pointer that will be read is there.
bool valid(const esr_network &network);

class PackedNetwork {
public:
    PackedNetwork(const esr_network &network, const Kernel &kernel);

    const Network &view() const { return view_; }
    int channels() const { return channels_; }
    // Layer 0, one array each: what offset_y, offset_x and the ratio are multiplied by, and the bias.
    const float *row_weight() const { return first_.data(); }
    const float *ratio_weight() const { return first_.data() + 2 * std::size_t(view_.first.width); }
    const float *first_bias() const { return first_.data() + 3 * std::size_t(view_.first.width); }

private:
    void pack_first(const esr_network &network);
    void pack_layer(const esr_network &network, const Kernel &kernel, int layer);
    void pack_last(const esr_network &network, const Kernel &kernel);

    Buffer<float> first_;
    std::vector<Buffer<Word>> weights_;
    std::vector<Buffer<float>> biases_;
    std::vector<Layer> layers_;
    Network view_{};
    int channels_ = 0;
};

}  // namespace esr
