#include "common/processor.h"

#include <cstring>

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
enum Word { eax, ebx, ecx, edx };

unsigned features(unsigned leaf, unsigned subleaf, Word word) {
    unsigned found[4] = {0, 0, 0, 0};
    if (!__get_cpuid_count(leaf, subleaf, &found[0], &found[1], &found[2], &found[3])) return 0;
    return found[word];
}
bool bit(unsigned word, int place) { return (word >> place & 1u) != 0; }
bool bits(unsigned word, unsigned mask) { return (word & mask) == mask; }

bool made_by(const char (&maker)[13]) {
    unsigned found[4] = {0, 0, 0, 0};
    if (!__get_cpuid(0, &found[0], &found[1], &found[2], &found[3])) return false;
    const unsigned letters[3] = {found[ebx], found[edx], found[ecx]};
    return std::memcmp(letters, maker, sizeof letters) == 0;
}

// Which registers the operating system saves; zero where it does not say. Not the compiler's builtin, which some
// libraries that go with compilers answer with no to everything.
unsigned saved_registers() {
    constexpr int osxsave = 27;
    if (!bit(features(1, 0, ecx), osxsave)) return 0;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
constexpr unsigned kSavesYmm = 0x6, kSavesZmm = 0xe6;
#endif

#if defined(ESR_CPUID) && defined(__linux__) && !defined(ESR_EMULATED_TILES)
constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA

bool ask_for_tiles() {
    const unsigned found = features(7, 0, edx);
    constexpr int bf16 = 22, tile = 24, int8 = 25;
    return has_avx512_bf16() && has_avx512_vnni() && bit(found, bf16) && bit(found, tile) && bit(found, int8) &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

}  // namespace

bool has_anything() { return true; }

#if defined(ESR_CPUID)
bool has_avx2() {
    constexpr int fma = 12, avx2 = 5;
    return bits(saved_registers(), kSavesYmm) && bit(features(1, 0, ecx), fma) && bit(features(7, 0, ebx), avx2);
}
bool has_avx2_vnni() { return has_avx2() && bit(features(7, 1, eax), 4); }
bool has_avx512() {
    constexpr unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    return has_avx2() && bits(saved_registers(), kSavesZmm) && bits(features(7, 0, ebx), f | dq | bw | vl);
}
bool has_avx512_vnni() { return has_avx512() && bit(features(7, 0, ecx), 11); }
bool has_avx512_bf16() { return has_avx512() && bit(features(7, 1, eax), 5); }
bool has_fast_avx512_bf16() { return has_avx512_bf16() && (made_by("AuthenticAMD") || made_by("HygonGenuine")); }
#else
bool has_avx2() { return false; }
bool has_avx2_vnni() { return false; }
bool has_avx512() { return false; }
bool has_avx512_vnni() { return false; }
bool has_avx512_bf16() { return false; }
bool has_fast_avx512_bf16() { return false; }
#endif

#if defined(ESR_EMULATED_TILES)
bool has_amx() { return has_avx512_bf16() && has_avx512_vnni(); }
#elif defined(ESR_CPUID) && defined(__linux__)
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
