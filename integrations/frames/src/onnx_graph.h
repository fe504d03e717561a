/* What an ONNX file says of its graph, read without ONNX's own library: nodes, initialisers and outputs. For the messages see
 * https://onnx.ai/onnx/repo-docs/IR.html, for their bytes https://protobuf.dev/programming-guides/encoding. */
#pragma once

#include <map>

#include "tensor.h"

namespace edgesr {

/* Of its attributes whole numbers, a single one too, and text. */
struct OnnxNode {
    std::string operation;
    std::vector<std::string> inputs, outputs;
    std::map<std::string, std::vector<std::int64_t>> integers;
    std::map<std::string, std::string> texts;
};

struct OnnxGraph {
    std::vector<OnnxNode> nodes;
    std::map<std::string, Tensor> arrays;
    std::vector<std::string> outputs;

    /* The node that computes a value; null where an input or an initialiser gives it. */
    const OnnxNode *maker(const std::string &value) const;
    /* The first node of that operation that reads a value, or null. */
    const OnnxNode *reader(const std::string &value, const std::string &operation) const;
    /* An initialiser; Error where there is none of that name. */
    const Tensor &array(const std::string &name) const;
};

OnnxGraph read_onnx(std::string_view file);

}  // namespace edgesr
