/* A bundle on disk, as far as the native library runs it. */
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tensor.h"

namespace edgesr {

/* Where a graph is filed, by what it is. */
struct StoredGraph {
    std::string file, role, precision, io, sha256;
};

struct Bundle {
    std::string folder, name;
    int mode = 3, blocks = 0, radius = 0, working_bytes = 1;
    bool bilinear_base = false;
    std::vector<int> widths;
    std::vector<StoredGraph> graphs;
    std::map<std::string, Tensor> decoder;

    /* The encoder's file, its hash checked; Error where the bundle has none in that stored precision. */
    std::string encoder(const std::string &precision, const std::string &io) const;
    bool has_encoder(const std::string &precision) const;
};

/* `model` is a shipped model's name, looked for in `shipped`, or a bundle's folder. Throws Error, saying which, where
 * there is none or the native library does not run its network. */
Bundle open_bundle(const std::string &model, const std::string &shipped);

}  // namespace edgesr
