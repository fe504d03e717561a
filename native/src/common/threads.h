// Work shared out over threads that live for one call only: a process that forks between calls is safe, and nothing is
// left behind.
#pragma once

#include <functional>

namespace esr {

// work(i) for i = 0 ... count - 1, each on a thread of its own, the first on the caller's, all with denormal numbers
// flushed to zero. For what the machine gives no more threads, the caller's follows: work must not wait for one that has not begun.
// Nor may it throw, as others would wait for what it leaves undone: what it needs of memory is allocated before.
void run_on_threads(int count, const std::function<void(int)> &work);

}  // namespace esr
