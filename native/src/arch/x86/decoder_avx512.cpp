#include "arch/x86/vector_avx512.h"

#include "decoder/float_words.h"

namespace {
using Stored = float;
constexpr int kModulatedRows = 4;
constexpr int kPlainRows = 8;
}  // namespace

#include "common/processor.h"
#include "decoder/register_groups.h"

#include "decoder/kernel_body.h"

namespace esr {
extern const Kernel kAvx512;
const Kernel kAvx512 = make_kernel("avx512", has_avx512);
}  // namespace esr
