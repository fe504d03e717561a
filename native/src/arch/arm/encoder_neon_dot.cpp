#include "arch/arm/vector_neon.h"

#include "encoder/products.h"

namespace {

// Fours of levels, int8 on both sides, summed in int32 (sdot of Armv8.2).
struct Int8Operand {
    using Word = std::int32_t;
    using Sum = int32x4_t;
    using Value = int8x16_t;
    static constexpr int word = 4;
    static constexpr bool integer = true;

    static ESR_INLINE Value broadcast(const Word *p) { return vreinterpretq_s8_s32(vdupq_n_s32(*p)); }
    static ESR_INLINE Value weights(const Word *p) { return vreinterpretq_s8_s32(vld1q_s32(p)); }
    static ESR_INLINE void accumulate(Sum &sum, Value value, Value weight) { sum = vdotq_s32(sum, weight, value); }
    static ESR_INLINE Sum start(const Convolution &c, int channel) { return vld1q_s32(c.start + channel); }
    static ESR_INLINE void store(float *p, Sum sum) { vst1q_s32(reinterpret_cast<std::int32_t *>(p), sum); }
};

constexpr int kSums = 24;
constexpr int kWinogradSums = 24;
using WideOperand = FloatOperand;
}  // namespace

#include "common/processor.h"
#include "encoder/kernel_body.h"

namespace esr {
extern const EncoderKernel kEncoderNeonDot;
const EncoderKernel kEncoderNeonDot = make_encoder("neon-dot", has_neon_dot, true, true);
}  // namespace esr
