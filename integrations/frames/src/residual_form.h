/* Whether a graph is a small residual encoder's: nothing but its convolutions between picture and maps. As
 * edge_sr/backends/native/residual_form.py has it. */
#pragma once

#include "onnx_graph.h"

namespace edgesr {

[[noreturn]] void other_form();

/* A node's inputs by their place, and its first output; Error where there is none. */
const std::string &input(const OnnxNode &node, std::size_t at);
const std::string &output(const OnnxNode &node);

/* What a convolution reads, before it is rounded. */
std::string source(const OnnxGraph &graph, const OnnxNode &convolution);
/* The result of a convolution's ReLU; nothing where it has none. */
std::string rectified(const OnnxGraph &graph, const OnnxNode &convolution);

/* Error unless every convolution reads what it should, and the graph's one output are the contents' results in order.
 * `nodes`: head, two a block, tail, contents. */
void check_form(const OnnxGraph &graph, const std::vector<const OnnxNode *> &nodes, int blocks);

}  // namespace edgesr
