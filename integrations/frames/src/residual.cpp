#include "residual.h"

#include <algorithm>

namespace edgesr {
namespace {

[[noreturn]] void other_form() {
    throw Error(
        "its encoder has another form than the native library runs: use edge_sr.vapoursynth or edge-sr upscale");
}

const std::string &input(const OnnxNode &node, std::size_t at) {
    if (at >= node.inputs.size()) other_form();
    return node.inputs[at];
}

const std::string &output(const OnnxNode &node) {
    if (node.outputs.empty()) other_form();
    return node.outputs[0];
}

std::string after_relu(const OnnxGraph &graph, const OnnxNode &convolution) {
    const OnnxNode *relu = graph.reader(output(convolution), "Relu");
    return relu ? output(*relu) : output(convolution);
}

/* What a convolution reads, before it is rounded. */
std::string source(const OnnxGraph &graph, const OnnxNode &convolution) {
    std::string value = input(convolution, 0);
    for (int steps = 0; steps < 4; ++steps) {
        const OnnxNode *maker = graph.maker(value);
        if (!maker || (maker->operation != "QuantizeLinear" && maker->operation != "DequantizeLinear")) break;
        value = input(*maker, 0);
    }
    return value;
}

/* The result of adding a convolution to `value`. */
std::string sum(const OnnxGraph &graph, const std::string &value, const OnnxNode &convolution) {
    const OnnxNode *add = graph.reader(output(convolution), "Add");
    if (!add || (input(*add, 0) != value && input(*add, 1) != value)) other_form();
    return output(*add);
}

/* Every convolution reads what it should, and the maps are the contents' results in order. */
void check_form(const OnnxGraph &graph, const std::vector<const OnnxNode *> &nodes, int blocks) {
    const std::string head = output(*nodes[0]);
    std::string value = head;
    for (std::size_t at = 1; at < 1 + 2 * std::size_t(blocks); at += 2) {
        if (source(graph, *nodes[at]) != value || source(graph, *nodes[at + 1]) != after_relu(graph, *nodes[at]))
            other_form();
        value = sum(graph, value, *nodes[at + 1]);
    }
    const OnnxNode &tail = *nodes[1 + 2 * std::size_t(blocks)];
    if (source(graph, tail) != value) other_form();
    const std::string features = sum(graph, head, tail);
    const OnnxNode *joined = nullptr;
    for (const OnnxNode &node : graph.nodes)
        if (node.operation == "Concat") joined = &node;
    const std::size_t first = 2 + 2 * std::size_t(blocks);
    for (std::size_t at = first; at < nodes.size(); ++at) {
        if (source(graph, *nodes[at]) != features) other_form();
        if (joined && input(*joined, at - first) != after_relu(graph, *nodes[at])) other_form();
    }
    if (!joined && nodes.size() != first + 1) other_form();
}

const OnnxNode &dequantised(const OnnxGraph &graph, const std::string &value) {
    const OnnxNode *maker = graph.maker(value);
    if (!maker || maker->operation != "DequantizeLinear") other_form();
    return *maker;
}

}  // namespace

ResidualEncoder::Convolution ResidualEncoder::read(const OnnxGraph &graph, const OnnxNode &node) {
    Convolution one;
    one.relu = after_relu(graph, node) != output(node);
    const bool in_levels = !graph.arrays.count(input(node, 1));
    const Tensor &weight = graph.array(in_levels ? input(dequantised(graph, input(node, 1)), 0) : input(node, 1));
    if (weight.shape.size() != 4 || weight.shape[2] != 3 || weight.shape[3] != 3) other_form();
    const std::int64_t outputs = weight.shape[0], count = weight.count();
    one.outputs = int(outputs);
    one.inputs = int(weight.shape[1]);
    if (!in_levels) {
        one.weight = weight.values<float>('f', count);
        one.bias = graph.array(input(node, 2)).values<float>('f', outputs);
        return one;
    }
    const OnnxNode &value = dequantised(graph, input(node, 0));
    one.levels = weight.values<std::int8_t>('i', count);
    one.level_scale = graph.array(input(dequantised(graph, input(node, 1)), 1)).values<float>('f', outputs);
    one.bias_levels = graph.array(input(dequantised(graph, input(node, 2)), 0)).values<std::int32_t>('i', outputs);
    one.input_scale = graph.array(input(value, 1)).values<float>('f', 1)[0];
    one.input_zero = graph.array(input(value, 2)).values<std::uint8_t>('u', 1)[0];
    return one;
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
