#include "arch/portable/vector_portable.h"

#include "decoder/float_words.h"

namespace {
using Stored = float;
constexpr int kModulatedRows = 2;
constexpr int kPlainRows = 2;
}  // namespace

#include "common/processor.h"
#include "decoder/register_groups.h"

#include "decoder/kernel_body.h"

namespace esr {
extern const Kernel kPortable;
const Kernel kPortable = make_kernel("portable", has_anything);
}  // namespace esr
