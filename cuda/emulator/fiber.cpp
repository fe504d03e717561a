#include "fiber.h"

#include <cstdint>

#ifndef ESR_FIBER_UCONTEXT
// Saves the registers that a call must keep on the stack, stores the stack pointer, and takes up another.
extern "C" void esr_switch_stack(void **save, void *resume);
asm(R"(
.text
.hidden esr_switch_stack
.globl esr_switch_stack
esr_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
#endif

namespace emulator {

#ifdef ESR_FIBER_UCONTEXT

void Fiber::prepare(void (*body)()) {
    if (!stack_) stack_.reset(new char[kStack]);
    getcontext(&own_);
    own_.uc_stack.ss_sp = stack_.get();
    own_.uc_stack.ss_size = kStack;
    makecontext(&own_, body, 0);
}
void Fiber::enter() { swapcontext(&caller_, &own_); }
void Fiber::yield() { swapcontext(&own_, &caller_); }

#else

void Fiber::prepare(void (*body)()) {
    if (!stack_) stack_.reset(new char[kStack]);
    const auto top = reinterpret_cast<std::uintptr_t>(stack_.get() + kStack) & ~std::uintptr_t(15);
    auto **stack = reinterpret_cast<void **>(top);
    *--stack = nullptr;  // where a caller's return address would be, so that the stack is aligned as after a call
    *--stack = reinterpret_cast<void *>(body);
    for (int registers = 0; registers < 6; ++registers) *--stack = nullptr;
    own_ = stack;
}
void Fiber::enter() { esr_switch_stack(&caller_, own_); }
void Fiber::yield() { esr_switch_stack(&own_, caller_); }

#endif

}  // namespace emulator
