#include "vector_avx512.h"

#include "float_words.h"

namespace {
using Stored = float;
constexpr int kModulatedRows = 4;
constexpr int kPlainRows = 8;
}  // namespace

#include "kernel_body.h"
#include "processor.h"

namespace esr {
extern const Kernel kAvx512;
const Kernel kAvx512 = make_kernel("avx512", has_avx512);
}  // namespace esr
