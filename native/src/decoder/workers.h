// A decoder's work, shared out over threads.
#pragma once

#include "common/buffer.h"
#include "decoder/kernel.h"
#include "decoder/packing.h"
#include "decoder/preparation.h"

namespace esr {

void decode_all(const PackedNetwork &network, const Preparation &call, const Kernel &kernel, int threads);

}  // namespace esr
