// A kernel's own multiply-adds on registers alone, for the figure that its speed is held against.
#pragma once

#include "common/peak.h"
#include "encoder/products.h"

namespace {

// Keeps a value in a register, and the compiler from knowing it.
template <class Register>
ESR_INLINE void hide(Register &value) {
#if defined(__x86_64__)
    asm volatile("" : "+x"(value));
#elif defined(__aarch64__)
    asm volatile("" : "+w"(value));
#endif
}

template <class Operand, int kCount>
void turn_registers(long turns) {
    alignas(64) static const float zeros[16] = {};
    const typename Operand::Word *words = reinterpret_cast<const typename Operand::Word *>(zeros);
    typename Operand::Value value = Operand::weights(words), weight = Operand::weights(words);
    typename Operand::Sum sums[kCount];
    for (auto &sum : sums) sum = typename Operand::Sum{};
    hide(value);
    hide(weight);
    for (; turns > 0; --turns)
#pragma GCC unroll 32
        for (int i = 0; i < kCount; ++i) {
            Operand::accumulate(sums[i], value, weight);
            hide(sums[i]);
        }
}

template <class Operand, int kCount>
constexpr esr::PeakLoop peak_of() {
    return {turn_registers<Operand, kCount>, 2.0 * kCount * kLanes * Operand::word};
}

}  // namespace
