/* What core.edgesr.Upscale is called with. */
#pragma once

#include <string>

#include <VapourSynth4.h>

#include "sizes.h"

namespace edgesr {

/* VapourSynth's description of them, for registerFunction. */
extern const char kArguments[];

struct Arguments {
    SizeRequest size;
    std::string model = "diinn-edge", backend = "auto", precision = "auto";
};

/* Throws Error for a backend other than the native library. */
Arguments read_arguments(const VSMap *map, const VSAPI *api);

}  // namespace edgesr
