// Work shared out over threads that live for one call only: a process that forks between calls is safe, and nothing
// is left behind.
#pragma once

#include "buffer.h"
#include "kernel.h"
#include "packing.h"
#include "preparation.h"

namespace esr {

void decode_all(const PackedNetwork &network, const Preparation &call, const Kernel &kernel, int threads);

}  // namespace esr
