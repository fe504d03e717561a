/* Which of the library's kernels serve a precision on this processor, by the rules of
 * edge_sr/backends/native/kernels.py. */
#pragma once

#include <string>

namespace edgesr {

struct Kernels {
    /* `auto` is the fastest exact one. `encoder` is empty where this processor has none for the precision. */
    std::string encoder, decoder;
    bool bf16_maps = false;
};

/* `precision` is fp32, bf16 or int8. */
Kernels kernels_for(const std::string &precision);
/* bf16 where the processor multiplies in it faster than in float32, else fp32. */
std::string default_precision();

}  // namespace edgesr
