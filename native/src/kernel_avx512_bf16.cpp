#include "vector_avx512.h"

#include "pair_words.h"

namespace {
using Stored = float;
constexpr int kModulatedRows = 4;
constexpr int kPlainRows = 8;
}  // namespace

#include "kernel_body.h"
#include "processor.h"

namespace esr {
extern const Kernel kAvx512Bf16, kAvx512Bf16HalfMaps;
const Kernel kAvx512Bf16 = make_kernel("avx512-bf16", has_avx512_bf16, &kAvx512Bf16HalfMaps);
}  // namespace esr
