#include "entry.h"

namespace emulated_driver {

Driver &driver() {
    static auto *one = new Driver();
    return *one;
}

int &depth() {
    thread_local int pushed = 0;
    return pushed;
}

void require_context() {
    if (depth() <= 0) throw Failure(Status::invalid_context, "no context is current in this thread");
}

}  // namespace emulated_driver
