#include "arch/x86/vector_avx512.h"

#include "arch/x86/levels_avx512.h"

namespace {

// Pairs of bfloat16, summed in float32.
struct Bf16Operand {
    using Word = std::int32_t;
    using Sum = __m512;
    using Value = __m512bh;
    static constexpr int word = 2;
    static constexpr bool integer = false;

    static ESR_INLINE Value broadcast(const Word *p) { return (__m512bh)_mm512_set1_epi32(*p); }
    static ESR_INLINE Value weights(const Word *p) { return (__m512bh)_mm512_loadu_si512(p); }
    static ESR_INLINE void accumulate(Sum &sum, Value value, Value weight) {
        sum = _mm512_dpbf16_ps(sum, value, weight);
    }
    static ESR_INLINE Sum start(const Convolution &c, int channel) { return Vector::load(c.bias + channel); }
    static ESR_INLINE void store(float *p, Sum sum) { Vector::store(p, sum); }
};

constexpr int kSums = 24;
constexpr int kWinogradSums = 0;
using WideOperand = Bf16Operand;
}  // namespace

#include "common/processor.h"
#include "encoder/kernel_body.h"

namespace esr {
extern const EncoderKernel kEncoderAvx512Bf16;
const EncoderKernel kEncoderAvx512Bf16 = make_encoder("avx512-bf16", has_avx512_bf16, true);
}  // namespace esr
