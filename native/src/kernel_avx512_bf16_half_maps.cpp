#include "vector_avx512.h"

#include "pair_words.h"

namespace {
using Stored = esr::Half;
constexpr int kModulatedRows = 4;
constexpr int kPlainRows = 8;
}  // namespace

#include "kernel_body.h"
#include "processor.h"

namespace esr {
extern const Kernel kAvx512Bf16HalfMaps;
const Kernel kAvx512Bf16HalfMaps = make_kernel("avx512-bf16", has_avx512_bf16);
}  // namespace esr
