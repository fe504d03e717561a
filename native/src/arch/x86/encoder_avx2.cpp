#include "arch/x86/vector_avx2.h"

#include "arch/x86/levels_avx2.h"

namespace {
constexpr int kSums = 12;
constexpr int kWinogradSums = 12;
using WideOperand = FloatOperand;
}  // namespace

#include "common/processor.h"
#include "encoder/kernel_body.h"

namespace esr {
extern const EncoderKernel kEncoderAvx2, kEncoderAvx2Vnni;
const EncoderKernel kEncoderAvx2 = make_encoder("avx2", has_avx2, false);
const EncoderKernel kEncoderAvx2Vnni = make_encoder("avx2-vnni", has_avx2_vnni, true);
}  // namespace esr
