#include "arguments.h"

#include "error.h"

namespace edgesr {
namespace {

int integer(const VSMap *map, const char *name, const VSAPI *api) {
    int missing = 0;
    const int value = api->mapGetIntSaturated(map, name, 0, &missing);
    if (!missing && value < 1) throw Error(std::string(name) + " is a whole number of pixels above 0");
    return missing ? 0 : value;
}

double number(const VSMap *map, const char *name, const VSAPI *api) {
    int missing = 0;
    const double value = api->mapGetFloat(map, name, 0, &missing);
    if (!missing && !(value >= 1)) throw Error(std::string(name) + " must lie between 1 and 64");
    return missing ? 0 : value;
}

void replace(std::string &value, const VSMap *map, const char *name, const VSAPI *api) {
    int missing = 0;
    const char *given = api->mapGetData(map, name, 0, &missing);
    if (!missing) value.assign(given, std::size_t(api->mapGetDataSize(map, name, 0, nullptr)));
}

}  // namespace

const char kArguments[] =
    "clip:vnode;scale:float:opt;width:int:opt;height:int:opt;model:data:opt;backend:data:opt;precision:data:opt;";

Arguments read_arguments(const VSMap *map, const VSAPI *api) {
    Arguments arguments;
    arguments.size = {number(map, "scale", api), integer(map, "width", api), integer(map, "height", api)};
    replace(arguments.model, map, "model", api);
    replace(arguments.backend, map, "backend", api);
    replace(arguments.precision, map, "precision", api);
    if (arguments.backend != "auto" && arguments.backend != "native")
        throw Error("backend must be auto or native, found '" + arguments.backend +
                    "'; others run through edge_sr.vapoursynth.upscale");
    return arguments;
}

}  // namespace edgesr
