#include "onnx_graph.h"

#include <algorithm>

#include "bytes.h"

namespace edgesr {
namespace {

/* Numbers of the fields that are read, in ModelProto, GraphProto, ValueInfoProto, NodeProto, AttributeProto and
 * TensorProto. */
constexpr std::uint64_t kModelGraph = 7;
constexpr std::uint64_t kGraphNode = 1, kGraphInitializer = 5, kGraphOutput = 12;
constexpr std::uint64_t kValueName = 1;
constexpr std::uint64_t kNodeInput = 1, kNodeOutput = 2, kNodeOperation = 4, kNodeAttribute = 5;
constexpr std::uint64_t kAttributeName = 1, kAttributeInteger = 3, kAttributeText = 4, kAttributeIntegers = 8;
constexpr std::uint64_t kTensorDims = 1, kTensorType = 2, kTensorName = 8, kTensorRaw = 9;

struct Field {
    std::uint64_t number = 0, value = 0;
    std::string_view bytes;
};

bool next_field(Bytes &message, Field &field) {
    if (message.empty()) return false;
    const std::uint64_t key = message.varint();
    field = {key >> 3, 0, {}};
    switch (key & 7) {
        case 0: field.value = message.varint(); break;
        case 1: field.bytes = message.take(8); break;
        case 2: field.bytes = message.take(message.varint()); break;
        case 5: field.bytes = message.take(4); break;
        default: throw Error("a graph of the bundle is no ONNX file: export the bundle again");
    }
    return true;
}

/* A repeated integer, alone or packed. */
void add_integers(std::vector<std::int64_t> &integers, const Field &field) {
    if (field.bytes.empty()) integers.push_back(std::int64_t(field.value));
    for (Bytes packed(field.bytes); !packed.empty();) integers.push_back(std::int64_t(packed.varint()));
}

void read_attribute(std::string_view message, OnnxNode &node) {
    std::string name, text;
    std::vector<std::int64_t> integers;
    Bytes bytes(message);
    for (Field field; next_field(bytes, field);) {
        if (field.number == kAttributeName) name = std::string(field.bytes);
        if (field.number == kAttributeText) text = std::string(field.bytes);
        if (field.number == kAttributeInteger || field.number == kAttributeIntegers) add_integers(integers, field);
    }
    if (!text.empty()) node.texts[name] = text;
    if (!integers.empty()) node.integers[name] = integers;
}

std::string read_name(std::string_view value) {
    Bytes bytes(value);
    std::string name;
    for (Field field; next_field(bytes, field);)
        if (field.number == kValueName) name = std::string(field.bytes);
    return name;
}

OnnxNode read_node(std::string_view message) {
    OnnxNode node;
    Bytes bytes(message);
    for (Field field; next_field(bytes, field);) {
        if (field.number == kNodeInput) node.inputs.emplace_back(field.bytes);
        if (field.number == kNodeOutput) node.outputs.emplace_back(field.bytes);
        if (field.number == kNodeOperation) node.operation = std::string(field.bytes);
        if (field.number == kNodeAttribute) read_attribute(field.bytes, node);
    }
    return node;
}

void set_type(Tensor &tensor, std::uint64_t type) {
    struct Type {
        std::uint64_t number;
        char kind;
        int size;
    };
    constexpr Type types[] = {{1, 'f', 4}, {2, 'u', 1},  {3, 'i', 1}, {6, 'i', 4},
                              {7, 'i', 8}, {10, 'f', 2}, {11, 'f', 8}};
    for (const Type &known : types)
        if (known.number == type) tensor.kind = known.kind, tensor.size = known.size;
}

void read_tensor(std::string_view message, std::map<std::string, Tensor> &arrays) {
    Tensor tensor;
    std::string name;
    Bytes bytes(message);
    for (Field field; next_field(bytes, field);) {
        if (field.number == kTensorDims) add_integers(tensor.shape, field);
        if (field.number == kTensorType) set_type(tensor, field.value);
        if (field.number == kTensorName) name = std::string(field.bytes);
        if (field.number == kTensorRaw) tensor.bytes = std::string(field.bytes);
    }
    arrays[name] = std::move(tensor);
}

}  // namespace

const OnnxNode *OnnxGraph::maker(const std::string &value) const {
    for (const OnnxNode &node : nodes)
        if (std::find(node.outputs.begin(), node.outputs.end(), value) != node.outputs.end()) return &node;
    return nullptr;
}

const OnnxNode *OnnxGraph::reader(const std::string &value, const std::string &operation) const {
    for (const OnnxNode &node : nodes)
        if (node.operation == operation &&
            std::find(node.inputs.begin(), node.inputs.end(), value) != node.inputs.end())
            return &node;
    return nullptr;
}

const Tensor &OnnxGraph::array(const std::string &name) const {
    const auto found = arrays.find(name);
    if (found == arrays.end()) throw Error("a graph of the bundle lacks a weight: export the bundle again");
    return found->second;
}

OnnxGraph read_onnx(std::string_view file) {
    OnnxGraph graph;
    Bytes model(file);
    for (Field outer; next_field(model, outer);) {
        if (outer.number != kModelGraph) continue;
        Bytes message(outer.bytes);
        for (Field field; next_field(message, field);) {
            if (field.number == kGraphNode) graph.nodes.push_back(read_node(field.bytes));
            if (field.number == kGraphInitializer) read_tensor(field.bytes, graph.arrays);
            if (field.number == kGraphOutput) graph.outputs.push_back(read_name(field.bytes));
        }
    }
    return graph;
}

}  // namespace edgesr
