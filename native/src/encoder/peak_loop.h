// A kernel's own multiply-adds on registers alone, for the figure that its speed is held against.
#pragma once

#include <utility>

#include "common/peak.h"
#include "encoder/products.h"

namespace {

// Keeps a value in a register, and the compiler from knowing it.
template <class Register>
ESR_INLINE void hide(Register &value) {
#if defined(__x86_64__)
    asm volatile("" : "+v"(value));
#elif defined(__aarch64__)
    asm volatile("" : "+w"(value));
#endif
}

// Sums go by names that are constant before any loop is unrolled: GCC keeps an array that a loop indexes in memory.
template <class Operand, int... kSum>
void turn_registers(long turns, std::integer_sequence<int, kSum...>) {
    alignas(64) static const float zeros[16] = {};
    const typename Operand::Word *words = reinterpret_cast<const typename Operand::Word *>(zeros);
    typename Operand::Value value = Operand::weights(words), weight = Operand::weights(words);
    typename Operand::Sum sums[sizeof...(kSum)];
    ((sums[kSum] = typename Operand::Sum{}), ...);
    hide(value);
    hide(weight);
    for (; turns > 0; --turns) ((Operand::accumulate(sums[kSum], value, weight), hide(sums[kSum])), ...);
}

template <class Operand, int kCount>
constexpr esr::PeakLoop peak_of() {
    return {[](long turns) { turn_registers<Operand>(turns, std::make_integer_sequence<int, kCount>()); },
            2.0 * kCount * kLanes * Operand::word};
}

}  // namespace
