#include "vector_portable.h"

#include "float_words.h"

namespace {
using Stored = float;
constexpr int kModulatedRows = 2;
constexpr int kPlainRows = 2;
}  // namespace

#include "kernel_body.h"
#include "processor.h"

namespace esr {
extern const Kernel kPortable;
const Kernel kPortable = make_kernel("portable", has_anything);
}  // namespace esr
