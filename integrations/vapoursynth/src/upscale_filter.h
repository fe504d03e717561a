/* One instance of core.edgesr.Upscale. */
#pragma once

#include <string>

#include <VapourSynth4.h>

namespace edgesr {

/* VapourSynth's VSPublicFunction. `bundles` is the folder of the shipped models. */
void create_upscale(const VSMap *in, VSMap *out, const std::string &bundles, VSCore *core, const VSAPI *api);

}  // namespace edgesr
