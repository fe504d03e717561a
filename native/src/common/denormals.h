// Numbers below the smallest normal one count as zero while this lives: products with them take a hundred times as long.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace esr {

class FlushDenormals {
public:
    FlushDenormals() : before_(read()) { write(before_ | kFlush); }
    FlushDenormals(const FlushDenormals &) = delete;
    FlushDenormals &operator=(const FlushDenormals &) = delete;
    ~FlushDenormals() { write(before_); }

private:
#if defined(__x86_64__) || defined(_M_X64)
    using Control = unsigned;
    static constexpr Control kFlush = 0x8040;  // results, operands
    static Control read() { return _mm_getcsr(); }
    static void write(Control value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
    using Control = std::uint64_t;
    static constexpr Control kFlush = 1u << 24;
    static Control read() {
        Control value;
        asm volatile("mrs %0, fpcr" : "=r"(value));
        return value;
    }
    static void write(Control value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
    using Control = unsigned;
    static constexpr Control kFlush = 0;
    static Control read() { return 0; }
    static void write(Control) {}
#endif
    const Control before_;
};

}  // namespace esr
