#include "bundle.h"

#include <fstream>

#include "bytes.h"
#include "json.h"
#include "npz.h"

namespace edgesr {
namespace {

constexpr int kSchema = 1;

bool is_folder_of_bundle(const std::string &folder) { return std::ifstream(folder + "/bundle.json").good(); }

std::string folder_of(const std::string &model, const std::string &shipped) {
    if (is_folder_of_bundle(model)) return model;
    const std::string named = shipped + "/" + model;
    if (model.find('/') == model.npos && is_folder_of_bundle(named)) return named;
    throw Error("there is no model '" + model + "': give a bundle's folder, or a name that `edge-sr models` lists (" +
                shipped + ")");
}

[[noreturn]] void not_native(const std::string &what) {
    throw Error(what + ", which the native library does not run: use edge_sr.vapoursynth or edge-sr upscale");
}

/* A file's name that stays inside the bundle. */
std::string plain(const std::string &name) {
    if (name.empty() || name.find_first_of("/\\") != name.npos || name[0] == '.')
        throw Error("its description names a file outside of it");
    return name;
}

void read_network(Bundle &bundle, const Json &description) {
    if (description.at("kind").string() != "implicit") not_native("it is one graph from picture to picture");
    const Json &network = description.at("network");
    const Json &encoder = network.at("encoder"), &decoder = network.at("decoder");
    if (encoder.at("kind").string() != "residual") not_native("its encoder is of kind " + encoder.at("kind").string());
    bundle.blocks = encoder.at("blocks").integer();
    bundle.mode = decoder.at("mode").integer();
    if (bundle.mode < 1 || bundle.mode > 3) not_native("its decoder is of mode " + std::to_string(bundle.mode));
    if (const Json *init_q = decoder.find("init_q"); init_q && init_q->boolean()) not_native("its decoder has init_q");
    if (const Json *base = decoder.find("bilinear_base")) bundle.bilinear_base = base->boolean();
    for (const Json &width : decoder.at("widths").items()) bundle.widths.push_back(width.integer());
}

void read_description(Bundle &bundle) {
    const Json description = Json::parse(read_file(bundle.folder + "/bundle.json"));
    if (description.at("schema").integer() != kSchema) throw Error("it is of another version: export it again");
    bundle.name = description.at("name").string();
    bundle.radius = description.at("radius").integer();
    bundle.working_bytes = description.at("working_bytes").integer();
    if (bundle.radius < 0 || bundle.working_bytes < 1) throw Error("its description has a wrong number");
    read_network(bundle, description);
    for (const Json &graph : description.at("graphs").items())
        bundle.graphs.push_back({plain(graph.at("file").string()), graph.at("role").string(),
                                 graph.at("precision").string(), graph.at("io").string(), graph.at("sha256").string()});
    const Json *weights = description.find("weights");
    if (!weights) not_native("it has no decoder's weights");
    const std::string file = bundle.folder + "/" + plain(weights->at("file").string());
    bundle.decoder = read_npz(read_checked(file, weights->at("sha256").string()));
}

}  // namespace

bool Bundle::has_encoder(const std::string &precision) const {
    for (const StoredGraph &graph : graphs)
        if (graph.role == "encoder" && graph.precision == precision) return true;
    return false;
}

std::string Bundle::encoder(const std::string &precision, const std::string &io) const {
    for (const StoredGraph &graph : graphs)
        if (graph.role == "encoder" && graph.precision == precision && graph.io == io)
            return read_checked(folder + "/" + graph.file, graph.sha256);
    throw Error("model " + name + " has no encoder in " + precision + " for " + io + " pictures");
}

Bundle open_bundle(const std::string &model, const std::string &shipped) {
    Bundle bundle;
    bundle.folder = folder_of(model, shipped);
    try {
        read_description(bundle);
    } catch (const Error &error) {
        throw Error("bundle " + bundle.folder + ": " + error.what());
    }
    return bundle;
}

}  // namespace edgesr
