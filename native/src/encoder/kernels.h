// The encoders' kernels in this library, and the choice among them.
#pragma once

#include <string>

#include "encoder/kernel.h"

namespace esr {

// Names that this processor runs, separated by spaces, the fastest exact one first.
const std::string &encoder_kernel_names();
// The kernel of that name, the fastest exact one for "auto", or null when there is none this processor runs.
const EncoderKernel *find_encoder_kernel(const char *name);

}  // namespace esr
