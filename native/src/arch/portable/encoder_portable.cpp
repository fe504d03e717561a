#include "arch/portable/vector_portable.h"

#include "encoder/products.h"

namespace {

// Fours of levels: uint8 activations by int8 weights, summed in int32.
struct Int8Operand {
    using Word = std::int32_t;
    struct Sum {
        std::int32_t lane[kLanes];
    };
    struct Value {
        std::int8_t level[4 * kLanes];  // as they lie in memory; activations are unsigned
    };
    static constexpr int word = 4;
    static constexpr bool integer = true;

    static Value broadcast(const Word *p) {
        Value v;
        for (int i = 0; i < kLanes; ++i) std::memcpy(v.level + i * word, p, word);
        return v;
    }
    static Value weights(const Word *p) {
        Value v;
        std::memcpy(v.level, p, sizeof v);
        return v;
    }
    static void accumulate(Sum &sum, const Value &value, const Value &weight) {
        for (int i = 0; i < word * kLanes; ++i)
            sum.lane[i / word] += static_cast<std::uint8_t>(value.level[i]) * weight.level[i];
    }
    static Sum start(const Convolution &c, int channel) {
        Sum sum;
        std::memcpy(sum.lane, c.start + channel, sizeof sum);
        return sum;
    }
    static void store(float *p, const Sum &sum) { std::memcpy(p, sum.lane, sizeof sum); }
};

constexpr int kSums = 8;
constexpr int kWinogradSums = 0;
using WideOperand = FloatOperand;
}  // namespace

#include "common/processor.h"
#include "encoder/kernel_body.h"

namespace esr {
extern const EncoderKernel kEncoderPortable;
const EncoderKernel kEncoderPortable = make_encoder("portable", has_anything, true);
}  // namespace esr
