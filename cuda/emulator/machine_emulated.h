// machine.h on a CPU: every access to memory and every instruction of a warp comes through here with the line of the
// kernel that made it, and is checked (see README.md).
#pragma once

#include <cmath>
#include <cstring>

#define DEVICE inline
#define KERNEL(threads, blocks, name, T, p) ESR_EMULATED_KERNEL(name, T, p)
#define ESR_EMULATED_KERNEL(name, T, p)                                                        \
    static void name##_body(const T &p);                                                       \
    extern "C" __attribute__((visibility("default"))) void name(const void *parameters) {      \
        name##_body(*static_cast<const T *>(parameters));                                      \
    }                                                                                          \
    extern "C" __attribute__((visibility("default"))) const unsigned name##_parameters = sizeof(T); \
    static void name##_body(const T &p)
#define UNROLL
#define NO_UNROLL
#define ESR_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

struct Site {
    const char *file;
    int line;
};

namespace gpu {

int thread();
int block_x();
int block_y();
int grid_x();
void barrier(ESR_HERE);
void warp_barrier(ESR_HERE);

char *checked_shared(int offset, int bytes, bool write, const Site &site);
void check_global(const void *at, int bytes, bool write, const Site &site);

template <class T> T shared_load(int offset, ESR_HERE) {
    T value;
    std::memcpy(&value, checked_shared(offset, sizeof(T), false, {file, line}), sizeof(T));
    return value;
}
template <class T> void shared_store(int offset, T value, ESR_HERE) {
    std::memcpy(checked_shared(offset, sizeof(T), true, {file, line}), &value, sizeof(T));
}
template <class T> T load(const T *from, ESR_HERE) {
    check_global(from, sizeof(T), false, {file, line});
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}
template <class T> T load_constant(const T *from, ESR_HERE) { return load(from, file, line); }
template <class T> void store(T *to, T value, ESR_HERE) {
    check_global(to, sizeof(T), true, {file, line});
    std::memcpy(to, &value, sizeof(T));
}

void copy16(int offset, const void *from, bool present, ESR_HERE);
void copies_close();
void wait_for_copies(int open);
template <int open> void copies_wait() { wait_for_copies(open); }

Word4 load_matrices(int offset, ESR_HERE);
Sums multiply(const Word4 &a, unsigned b0, unsigned b1, const Sums &c, ESR_HERE);
HalfSums multiply_half(const Word4 &a, unsigned b0, unsigned b1, const HalfSums &c, ESR_HERE);
IntSums multiply_int8(const Word4 &a, unsigned b0, unsigned b1, const IntSums &c, ESR_HERE);
float fast_sine(float x);

inline float as_float(unsigned bits) {
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
}
inline unsigned half_bits(float f) {
    const _Float16 h = static_cast<_Float16>(f);
    u16 bits;
    std::memcpy(&bits, &h, 2);
    return bits;
}
inline float half_value(unsigned low) {
    const u16 bits = static_cast<u16>(low);
    _Float16 h;
    std::memcpy(&h, &bits, 2);
    return static_cast<float>(h);
}
inline unsigned halves(float low, float high) { return half_bits(high) << 16 | half_bits(low); }
inline unsigned positive_halves(float low, float high) {
    return halves(low > 0.0f ? low : 0.0f, high > 0.0f ? high : 0.0f);
}
inline float low_half(unsigned h) { return half_value(h & 0xffff); }
inline float high_half(unsigned h) { return half_value(h >> 16); }
inline float fma(float a, float b, float c) { return std::fma(a, b, c); }
inline int nearest(float f) { return static_cast<int>(std::nearbyint(f)); }
inline unsigned signed_byte(int i) { return static_cast<unsigned>(i < -128 ? -128 : i > 127 ? 127 : i) & 0xff; }
inline unsigned signed_bytes(int a, int b, int c, int d) {
    return signed_byte(d) << 24 | signed_byte(c) << 16 | signed_byte(b) << 8 | signed_byte(a);
}

}  // namespace gpu
