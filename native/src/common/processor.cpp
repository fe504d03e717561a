#include "common/processor.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#define ESR_CPUID 1
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace esr {
namespace {

#if defined(ESR_CPUID)
// Leaf 7 in words: eax, ebx, ecx, edx.
unsigned features(unsigned subleaf, int word) {
    unsigned found[4] = {0, 0, 0, 0};
    if (!__get_cpuid_count(7, subleaf, &found[0], &found[1], &found[2], &found[3])) return 0;
    return found[word];
}
bool bit(unsigned word, int place) { return (word >> place & 1u) != 0; }
#endif

#if defined(ESR_CPUID) && defined(__linux__)
constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA

bool ask_for_tiles() {
    const unsigned edx = features(0, 3);
    constexpr int bf16 = 22, tile = 24, int8 = 25;
    return has_avx512_bf16() && has_avx512_vnni() && bit(edx, bf16) && bit(edx, tile) && bit(edx, int8) &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

}  // namespace

bool has_anything() { return true; }

// The builtin asks the operating system too (whether it saves the wide registers).
#if defined(ESR_CPUID)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx2_vnni() { return has_avx2() && bit(features(1, 0), 4); }
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#else
bool has_avx2() { return false; }
bool has_avx2_vnni() { return false; }
bool has_avx512() { return false; }
bool has_avx512_vnni() { return false; }
bool has_avx512_bf16() { return false; }
#endif

#if defined(ESR_CPUID) && defined(__linux__)
bool has_amx() {
    static const bool granted = ask_for_tiles();
    return granted;
}
#else
bool has_amx() { return false; }
#endif

#if defined(__aarch64__) && defined(__linux__)
bool has_neon_dot() {
    constexpr unsigned long dot_products = 1ul << 20;  // HWCAP_ASIMDDP
    return (getauxval(AT_HWCAP) & dot_products) != 0;
}
#elif defined(__aarch64__) && defined(__APPLE__)
bool has_neon_dot() { return true; }
#else
bool has_neon_dot() { return false; }
#endif

}  // namespace esr
