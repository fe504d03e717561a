// A bfloat16 in memory: the upper half of a float32.
#pragma once

#include <cstdint>

namespace esr {

struct Bf16 {
    std::uint16_t bits;
};

}  // namespace esr
