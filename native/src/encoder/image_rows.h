// Rows of a picture as the head convolution reads them: four channels, levels around their middle.
#pragma once

#include "encoder/kernel.h"
#include "esr_native.h"

namespace esr {

void load_rows(const esr_encode_request &request, Format format, const Strip &strip);

}  // namespace esr
