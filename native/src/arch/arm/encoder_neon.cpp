#include "arch/arm/vector_neon.h"

#include "encoder/products.h"

namespace {
constexpr int kSums = 24;
constexpr int kWinogradSums = 24;
using WideOperand = FloatOperand;
using Int8Operand = FloatOperand;  // never asked for: this kernel has no INT8
}  // namespace

#include "common/processor.h"
#include "encoder/kernel_body.h"

namespace esr {
extern const EncoderKernel kEncoderNeon;
const EncoderKernel kEncoderNeon = make_encoder("neon", has_anything, false);
}  // namespace esr
