// Work shared out over threads that live for one call only: a process that forks between calls is safe, and nothing is
// left behind.
#pragma once

#include <functional>

namespace esr {

// work(i) for i = 0 ... count - 1, each on a thread of its own, the first on the caller's, all with denormal numbers
// flushed to zero. A machine that gives no more threads has fewer calls: work must not wait for one that has not begun.
void run_on_threads(int count, const std::function<void(int)> &work);

}  // namespace esr
