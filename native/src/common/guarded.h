// No exception leaves the C interface.
#pragma once

#include "esr_native.h"

namespace esr {

// Runs an operation that returns a status; memory is all that it can run out of.
template <class Operation>
int guarded(Operation operation) {
    try {
        return operation();
    } catch (...) {
        return ESR_OUT_OF_MEMORY;
    }
}

}  // namespace esr
