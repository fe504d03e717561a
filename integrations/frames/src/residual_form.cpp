#include "residual_form.h"

#include <cmath>

namespace edgesr {
namespace {

using Integers = std::vector<std::int64_t>;

constexpr char kPicture[] = "image";
constexpr std::int64_t kFloat32 = 1;

void need(bool condition) {
    if (!condition) other_form();
}

const OnnxNode &maker(const OnnxGraph &graph, const std::string &value) {
    const OnnxNode *node = graph.maker(value);
    if (!node) other_form();
    return *node;
}

/* 3 x 3 with zeros around; what a graph leaves out is so, but for the zeros. */
bool is_plain(const OnnxNode &convolution) {
    const auto is = [&](const char *name, const Integers &wanted) {
        const auto found = convolution.integers.find(name);
        return found == convolution.integers.end() || found->second == wanted;
    };
    const auto pad = convolution.texts.find("auto_pad");
    return convolution.integers.count("pads") && is("pads", {1, 1, 1, 1}) && is("strides", {1, 1}) &&
           is("dilations", {1, 1}) && is("group", {1}) && (pad == convolution.texts.end() || pad->second == "NOTSET");
}

/* scale * x + shift, and what it is after an operation with a constant has been put before it. */
struct Linear {
    double scale = 1, shift = 0;

    void put_before(const std::string &operation, double constant) {
        if (operation == "Add") shift += scale * constant;
        else if (operation == "Sub") shift -= scale * constant;
        else if (operation == "Mul") scale *= constant;
        else if (operation == "Div") scale /= constant;
        else other_form();
    }
};

bool near(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::fabs(b); }

/* The picture as planes, its values from -1 to 1. */
void check_picture(const OnnxGraph &graph, std::string value) {
    Linear linear;
    double full = 1;
    bool planes = false;
    for (std::size_t steps = 0; steps < graph.nodes.size() && value != kPicture; ++steps) {
        const OnnxNode &node = maker(graph, value);
        if (node.operation == "Transpose") {
            const auto order = node.integers.find("perm");
            need(!planes && order != node.integers.end() && order->second == Integers({0, 3, 1, 2}));
            planes = true;
        } else if (node.operation == "Cast") {
            const auto type = node.integers.find("to");
            need(full == 1 && type != node.integers.end() && type->second == Integers({kFloat32}));
            full = 255;
        } else {
            need(full == 1);
            linear.put_before(node.operation, graph.array(input(node, 1)).values<float>('f', 1)[0]);
        }
        value = input(node, 0);
    }
    need(value == kPicture && planes && near(linear.scale * full, 2) && near(linear.shift, -1));
}

/* The result of adding a convolution to `value`. */
std::string sum(const OnnxGraph &graph, const std::string &value, const OnnxNode &convolution) {
    const OnnxNode *add = graph.reader(output(convolution), "Add");
    need(add && (input(*add, 0) == value || input(*add, 1) == value));
    return output(*add);
}

/* What the graph's output puts one after another. */
std::vector<std::string> joined(const OnnxGraph &graph) {
    need(graph.outputs.size() == 1);
    const OnnxNode &node = maker(graph, graph.outputs[0]);
    if (node.operation != "Concat") return graph.outputs;
    const auto axis = node.integers.find("axis");
    need(axis != node.integers.end() && axis->second == Integers({1}));
    return node.inputs;
}

}  // namespace

void other_form() {
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

std::string source(const OnnxGraph &graph, const OnnxNode &convolution) {
    const std::string &value = input(convolution, 0);
    const OnnxNode *levels = graph.maker(value);
    if (!levels || levels->operation != "DequantizeLinear") return value;
    const OnnxNode *given = graph.maker(input(*levels, 0));
    return given && given->operation == "QuantizeLinear" ? input(*given, 0) : value;
}

std::string rectified(const OnnxGraph &graph, const OnnxNode &convolution) {
    const OnnxNode *relu = graph.reader(output(convolution), "Relu");
    return relu ? output(*relu) : std::string();
}

void check_form(const OnnxGraph &graph, const std::vector<const OnnxNode *> &nodes, int blocks) {
    for (const OnnxNode *node : nodes) need(is_plain(*node));
    check_picture(graph, input(*nodes[0], 0));
    const std::string head = output(*nodes[0]);
    std::string value = head;
    const std::size_t tail = 1 + 2 * std::size_t(blocks);
    for (std::size_t at = 1; at < tail; at += 2) {
        const OnnxNode &first = *nodes[at], &second = *nodes[at + 1];
        need(source(graph, first) == value && source(graph, second) == rectified(graph, first));
        value = sum(graph, value, second);
    }
    need(source(graph, *nodes[tail]) == value);
    const std::string features = sum(graph, head, *nodes[tail]);
    std::vector<std::string> results;
    for (std::size_t at = tail + 1; at < nodes.size(); ++at) {
        need(source(graph, *nodes[at]) == features);
        const std::string relu = rectified(graph, *nodes[at]);
        results.push_back(relu.empty() ? output(*nodes[at]) : relu);
    }
    need(joined(graph) == results);
}

}  // namespace edgesr
