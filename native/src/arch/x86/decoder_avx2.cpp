#include "arch/x86/vector_avx2.h"

#include "decoder/float_words.h"

namespace {
using Stored = float;
// Sixteen registers hold a tile of 4 rows by 3 vectors, the 3 values and 1 weight.
constexpr int kModulatedRows = 2;
constexpr int kPlainRows = 4;
}  // namespace

#include "common/processor.h"
#include "decoder/register_groups.h"

#include "decoder/kernel_body.h"

namespace esr {
extern const Kernel kAvx2;
const Kernel kAvx2 = make_kernel("avx2", has_avx2);
}  // namespace esr
