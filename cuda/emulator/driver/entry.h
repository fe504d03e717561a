// What the entry points share: the one GPU behind them, its context, and how they answer.
#pragma once

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

#include "device.h"
#include "queue.h"
#include "status.h"

#define API extern "C" __attribute__((visibility("default"))) int

namespace emulated_driver {

typedef std::uint64_t Address;

// There is one context, primary or not: every pointer is good in it. `flags` are the primary one's, `retained` how often.
struct Driver {
    Description device = Description::from_environment();
    Memory memory{device.memory};
    Queue queue;
    std::recursive_mutex lock;
    int context = 0, retained = 0;
    unsigned flags = 0;
    Driver() { queue.fail_after = device.fail_after; }
};

Driver &driver();
// How many contexts this thread has pushed.
int &depth();
void require_context();

// Runs `body` alone and turns what it throws into a number; why is said on stderr.
template <class Body> int answer(const Body &body) {
    try {
        const std::lock_guard<std::recursive_mutex> held(driver().lock);
        body(driver());
        return 0;
    } catch (const Failure &failure) {
        std::fprintf(stderr, "emulated GPU: %s\n", failure.what());
        return static_cast<int>(failure.status);
    }
}
template <class Body> int in_context(const Body &body) {
    return answer([&](Driver &d) {
        require_context();
        body(d);
    });
}

inline std::size_t place(const void *at) { return reinterpret_cast<std::size_t>(at); }
inline void *pointer(Address at) { return reinterpret_cast<void *>(at); }

}  // namespace emulated_driver
