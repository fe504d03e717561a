// A stack of its own for every emulated thread, switched by hand: the scheduler enters one, which runs until it yields.
#pragma once

#include <memory>

#if !defined(__x86_64__) || defined(ESR_UCONTEXT)
#define ESR_FIBER_UCONTEXT 1
#include <ucontext.h>
#endif

namespace emulator {

class Fiber {
public:
    // The next `enter` begins `body`, which must not return.
    void prepare(void (*body)());
    void enter();
    void yield();

private:
    static constexpr int kStack = 64 << 10;
    std::unique_ptr<char[]> stack_;
#ifdef ESR_FIBER_UCONTEXT
    ucontext_t own_, caller_;
#else
    void *own_ = nullptr, *caller_ = nullptr;
#endif
};

}  // namespace emulator
