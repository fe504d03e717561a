#include "decoder/kernels.h"

#include <cstring>

namespace esr {

#if defined(ESR_X86_64)
extern const Kernel kAvx512, kAvx2;
#endif
#if defined(ESR_AVX512_BF16)
extern const Kernel kAvx512Bf16;
#endif
#if defined(ESR_AMX)
extern const Kernel kAmx;
#endif
#if defined(ESR_AARCH64)
extern const Kernel kNeon;
#endif
extern const Kernel kPortable;

namespace {

// Exact kernels come first, the fastest before the others.
const Kernel *const kKernels[] = {
#if defined(ESR_X86_64)
    &kAvx512, &kAvx2,
#endif
#if defined(ESR_AARCH64)
    &kNeon,
#endif
    &kPortable,
#if defined(ESR_AVX512_BF16)
    &kAvx512Bf16,
#endif
#if defined(ESR_AMX)
    &kAmx,
#endif
};

std::string join_supported() {
    std::string names;
    for (const Kernel *kernel : kKernels)
        if (kernel->supported()) names += (names.empty() ? "" : " ") + std::string(kernel->name);
    return names;
}

}  // namespace

const std::string &kernel_names() {
    static const std::string names = join_supported();
    return names;
}

const Kernel *find_kernel(const char *name) {
    for (const Kernel *kernel : kKernels)
        if (kernel->supported() && (!std::strcmp(name, "auto") || !std::strcmp(name, kernel->name))) return kernel;
    return nullptr;
}

}  // namespace esr
