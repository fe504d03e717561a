/* The plugin's entry: where the shipped models lie, and the function that VapourSynth calls. */
#include <cstdlib>
#include <string>

#include <VapourSynth4.h>

#include "arguments.h"
#include "upscale_filter.h"

namespace {

constexpr char kIdentifier[] = "org.edge-sr.vapoursynth";
/* From vapoursynth/plugins/ to edge_sr's models in the same site-packages. */
constexpr char kFromPlugin[] = "/../../edge_sr/bundles";

std::string folder_of(const std::string &path) {
    const std::size_t slash = path.find_last_of("/\\");
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string shipped_bundles(VSCore *core, const VSAPI *api) {
    if (const char *named = std::getenv("EDGE_SR_BUNDLES")) return named;
    const char *path = api->getPluginPath(api->getPluginByID(kIdentifier, core));
    return folder_of(path ? path : "") + kFromPlugin;
}

void VS_CC upscale(const VSMap *in, VSMap *out, void *, VSCore *core, const VSAPI *api) {
    edgesr::create_upscale(in, out, shipped_bundles(core, api), core, api);
}

}  // namespace

VS_EXTERNAL_API(void) VapourSynthPluginInit2(VSPlugin *plugin, const VSPLUGINAPI *api) {
    api->configPlugin(kIdentifier, "edgesr", "Edge SR: super-resolution at any scale", VS_MAKE_VERSION(0, 1),
                      VAPOURSYNTH_API_VERSION, 0, plugin);
    api->registerFunction("Upscale", edgesr::kArguments, "clip:vnode;", upscale, nullptr, plugin);
}
