#include "encoder/kernels.h"

#include <cstring>

namespace esr {

#if defined(ESR_X86_64)
extern const EncoderKernel kEncoderAvx512, kEncoderAvx512Vnni, kEncoderAvx2, kEncoderAvx2Vnni;
#endif
#if defined(ESR_AVX512_BF16)
extern const EncoderKernel kEncoderAvx512Bf16;
#endif
#if defined(ESR_AMX)
extern const EncoderKernel kEncoderAmx;
#endif
#if defined(ESR_AARCH64)
extern const EncoderKernel kEncoderNeon, kEncoderNeonDot;
#endif
extern const EncoderKernel kEncoderPortable;

namespace {

// Exact kernels come first, the fastest before the others; then those with INT8, then those in bfloat16.
const EncoderKernel *const kKernels[] = {
#if defined(ESR_X86_64)
    &kEncoderAvx512, &kEncoderAvx2,
#endif
#if defined(ESR_AARCH64)
    &kEncoderNeon,
#endif
    &kEncoderPortable,
#if defined(ESR_X86_64)
    &kEncoderAvx512Vnni, &kEncoderAvx2Vnni,
#endif
#if defined(ESR_AARCH64)
    &kEncoderNeonDot,
#endif
#if defined(ESR_AVX512_BF16)
    &kEncoderAvx512Bf16,
#endif
#if defined(ESR_AMX)
    &kEncoderAmx,
#endif
};

std::string join_supported() {
    std::string names;
    for (const EncoderKernel *kernel : kKernels)
        if (kernel->supported()) names += (names.empty() ? "" : " ") + std::string(kernel->name);
    return names;
}

}  // namespace

const std::string &encoder_kernel_names() {
    static const std::string names = join_supported();
    return names;
}

const EncoderKernel *find_encoder_kernel(const char *name) {
    for (const EncoderKernel *kernel : kKernels)
        if (kernel->supported() && (!std::strcmp(name, "auto") || !std::strcmp(name, kernel->name))) return kernel;
    return nullptr;
}

}  // namespace esr
