#include "arch/x86/vector_avx512.h"

#include "arch/x86/levels_avx512.h"

namespace {
constexpr int kSums = 24;
constexpr int kWinogradSums = 20;
using WideOperand = FloatOperand;
}  // namespace

#include "common/processor.h"
#include "encoder/kernel_body.h"

namespace esr {
extern const EncoderKernel kEncoderAvx512, kEncoderAvx512Vnni;
const EncoderKernel kEncoderAvx512 = make_encoder("avx512", has_avx512, false);
const EncoderKernel kEncoderAvx512Vnni = make_encoder("avx512-vnni", has_avx512_vnni, true);
}  // namespace esr
