#include "arch/x86/vector_avx512.h"

#include "arch/x86/pair_words.h"

namespace {
using Stored = float;
constexpr int kModulatedRows = 4;
constexpr int kPlainRows = 8;
}  // namespace

#include "common/processor.h"
#include "decoder/register_groups.h"

#include "decoder/kernel_body.h"

namespace esr {
extern const Kernel kAvx512Bf16, kAvx512Bf16Maps;
const Kernel kAvx512Bf16 = make_kernel("avx512-bf16", has_avx512_bf16, &kAvx512Bf16Maps);
}  // namespace esr
