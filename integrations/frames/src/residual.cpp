#include "residual.h"

#include <algorithm>
#include <cmath>

#include "residual_form.h"

namespace edgesr {
namespace {

const OnnxNode &made_by(const OnnxGraph &graph, const std::string &value, const char *operation) {
    const OnnxNode *maker = graph.maker(value);
    if (!maker || maker->operation != operation) other_form();
    return *maker;
}

bool has_zero(const OnnxNode &node) { return node.inputs.size() > 2 && !node.inputs[2].empty(); }

float scale_of(const OnnxGraph &graph, const OnnxNode &node) {
    return graph.array(input(node, 1)).values<float>('f', 1)[0];
}

/* Of levels from 0 to 255, which is what they are where no zero point is given. */
int zero_of(const OnnxGraph &graph, const OnnxNode &node) {
    return has_zero(node) ? graph.array(node.inputs[2]).values<std::uint8_t>('u', 1)[0] : 0;
}

/* What a level of each output is worth, where levels lie around zero. */
std::vector<float> scales_of(const OnnxGraph &graph, const OnnxNode &node, std::int64_t outputs) {
    const auto axis = node.integers.find("axis");
    if (axis == node.integers.end() || axis->second != std::vector<std::int64_t>{0}) other_form();
    if (has_zero(node)) {
        const std::string &zeros = graph.array(node.inputs[2]).bytes;
        if (std::any_of(zeros.begin(), zeros.end(), [](char byte) { return byte != 0; })) other_form();
    }
    return graph.array(input(node, 1)).values<float>('f', outputs);
}

}  // namespace

ResidualEncoder::Convolution ResidualEncoder::read(const OnnxGraph &graph, const OnnxNode &node) {
    Convolution one;
    one.relu = !rectified(graph, node).empty();
    const bool in_levels = !graph.arrays.count(input(node, 1));
    const std::string &name =
        in_levels ? input(made_by(graph, input(node, 1), "DequantizeLinear"), 0) : input(node, 1);
    const Tensor &weight = graph.array(name);
    if (weight.shape.size() != 4 || weight.shape[2] != 3 || weight.shape[3] != 3) other_form();
    const std::int64_t outputs = weight.shape[0], count = weight.count();
    one.outputs = int(outputs);
    one.inputs = int(weight.shape[1]);
    if (in_levels) {
        one.levels = weight.values<std::int8_t>('i', count);
        read_levels(graph, node, one);
        return one;
    }
    if (source(graph, node) != input(node, 0)) other_form();
    one.weight = weight.values<float>('f', count);
    one.bias = graph.array(input(node, 2)).values<float>('f', outputs);
    return one;
}

void ResidualEncoder::read_levels(const OnnxGraph &graph, const OnnxNode &node, Convolution &one) {
    const OnnxNode &value = made_by(graph, input(node, 0), "DequantizeLinear");
    const OnnxNode &given = made_by(graph, input(value, 0), "QuantizeLinear");
    const OnnxNode &bias = made_by(graph, input(node, 2), "DequantizeLinear");
    one.input_scale = scale_of(graph, given);
    one.input_zero = zero_of(graph, given);
    if (scale_of(graph, value) != one.input_scale || zero_of(graph, value) != one.input_zero) other_form();
    one.level_scale = scales_of(graph, made_by(graph, input(node, 1), "DequantizeLinear"), one.outputs);
    one.bias_levels = graph.array(input(bias, 0)).values<std::int32_t>('i', one.outputs);
    const std::vector<float> worth = scales_of(graph, bias, one.outputs);
    for (std::size_t i = 0; i < worth.size(); ++i) {
        const float wanted = one.input_scale * one.level_scale[i];
        if (!(std::fabs(worth[i] - wanted) <= 1e-5f * std::fabs(wanted))) other_form();
    }
}

/* The residual stream: a block's first convolution, the tail and the contents; the head reads the picture. */
bool ResidualEncoder::reads_stream(std::size_t convolution) const {
    return convolution > 0 && (convolution % 2 == 1 || convolution > 2 * std::size_t(blocks_));
}

/* What reads the stream in float32 takes the widest range of those that read it in INT8. */
void ResidualEncoder::take_ranges() {
    constexpr double levels = 255;
    double widest = 0;
    for (std::size_t at = 0; at < convolutions_.size(); ++at)
        if (reads_stream(at)) widest = std::max(widest, levels * double(convolutions_[at].input_scale));
    for (std::size_t at = 0; at < convolutions_.size(); ++at)
        if (reads_stream(at) && convolutions_[at].levels.empty()) convolutions_[at].input_range = float(widest);
}

ResidualEncoder::ResidualEncoder(const OnnxGraph &graph, int blocks) : blocks_(blocks) {
    std::vector<const OnnxNode *> nodes;
    for (const OnnxNode &node : graph.nodes)
        if (node.operation == "Conv") nodes.push_back(&node);
    if (blocks < 0 || nodes.size() < 3 + 2 * std::size_t(blocks)) other_form();
    check_form(graph, nodes, blocks);
    for (const OnnxNode *node : nodes) convolutions_.push_back(read(graph, *node));
    if (!convolutions_[0].levels.empty()) other_form();
    take_ranges();
    for (const Convolution &one : convolutions_) {
        const bool in_levels = !one.levels.empty();
        table_.push_back({one.inputs, one.outputs, in_levels ? nullptr : one.weight.data(),
                          in_levels ? nullptr : one.bias.data(), in_levels ? one.levels.data() : nullptr,
                          in_levels ? one.level_scale.data() : nullptr, in_levels ? one.bias_levels.data() : nullptr,
                          one.input_scale, one.input_zero, one.relu, one.input_range});
    }
    for (std::size_t at = 2 + 2 * std::size_t(blocks); at < convolutions_.size(); ++at)
        maps_ += convolutions_[at].outputs;
}

esr_encoder_network ResidualEncoder::network() const {
    const int contents = int(table_.size()) - 2 - 2 * blocks_;
    return {table_[0].outputs, blocks_, contents, table_.data()};
}

}  // namespace edgesr
