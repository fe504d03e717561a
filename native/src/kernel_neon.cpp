#include "vector_neon.h"

#include "float_words.h"

namespace {
using Stored = float;
constexpr int kModulatedRows = 4;
constexpr int kPlainRows = 8;
}  // namespace

#include "kernel_body.h"
#include "processor.h"

namespace esr {
extern const Kernel kNeon;
const Kernel kNeon = make_kernel("neon", has_anything);
}  // namespace esr
