/* A small residual encoder taken from its graph: the convolutions, in float32 or INT8, that the library runs. */
#pragma once

#include "esr_native.h"
#include "onnx_graph.h"

namespace edgesr {

/* Head, two convolutions a block, tail, contents: the arrays, and the table that points to them. */
class ResidualEncoder {
public:
    /* Throws Error where the graph has another form. */
    ResidualEncoder(const OnnxGraph &graph, int blocks);

    /* Valid for as long as the encoder is. */
    esr_encoder_network network() const;
    /* Channels of the maps. */
    int maps() const { return maps_; }

private:
    struct Convolution {
        int outputs = 0, inputs = 0;
        bool relu = false;
        std::vector<float> weight, bias, level_scale;
        std::vector<std::int8_t> levels;
        std::vector<std::int32_t> bias_levels;
        float input_scale = 0, input_range = 0;
        int input_zero = 0;
    };

    static Convolution read(const OnnxGraph &graph, const OnnxNode &node);
    static void read_levels(const OnnxGraph &graph, const OnnxNode &node, Convolution &one);
    bool reads_stream(std::size_t convolution) const;
    void take_ranges();

    std::vector<Convolution> convolutions_;
    std::vector<esr_convolution> table_;
    int blocks_, maps_ = 0;
};

}  // namespace edgesr
