#include "arch/arm/vector_neon.h"

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
extern const Kernel kNeon;
const Kernel kNeon = make_kernel("neon", has_anything);
}  // namespace esr
