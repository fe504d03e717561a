// Four pixels a vector: Advanced SIMD, which every aarch64 processor has.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

namespace {

struct Vector {
    using F = float32x4_t;
    using I = int32x4_t;
    static constexpr int lanes = 4;
    static constexpr bool registers = true;  // whether F is a register
    static constexpr bool bf16 = false;
    static constexpr bool int16 = false;

    static F load(const float *p) { return vld1q_f32(p); }
    static void store(float *p, F v) { vst1q_f32(p, v); }
    static F broadcast(float x) { return vdupq_n_f32(x); }
    static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
    static F add(F a, F b) { return vaddq_f32(a, b); }
    static F sub(F a, F b) { return vsubq_f32(a, b); }
    static F mul(F a, F b) { return vmulq_f32(a, b); }
    // The NM forms return the bound when the value is NaN.
    static F at_least(F v, F bound) { return vmaxnmq_f32(v, bound); }
    static F at_most(F v, F bound) { return vminnmq_f32(v, bound); }

    static I load_index(const std::int32_t *p) { return vld1q_s32(p); }
    static F pick(const float *p, I index) {
        const uint8x16_t bytes = vreinterpretq_u8_f32(load(p));
        return vreinterpretq_f32_u8(vqtbl1q_u8(bytes, byte_index(vreinterpretq_u32_s32(index))));
    }
    static F gather(const float *p, I index) {
        const float values[lanes] = {p[vgetq_lane_s32(index, 0)], p[vgetq_lane_s32(index, 1)],
                                     p[vgetq_lane_s32(index, 2)], p[vgetq_lane_s32(index, 3)]};
        return load(values);
    }

    // v negated where the lowest bit of t is set.
    static F flip(F v, F t) {
        const uint32x4_t sign = vshlq_n_u32(vreinterpretq_u32_f32(t), 31);
        return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(v), sign));
    }
    static constexpr bool packs_pixels = false;
    static void store_rgb(std::uint32_t *p, F r, F g, F b) {
        const uint32x4_t green = vshlq_n_u32(vcvtnq_u32_f32(g), 8);
        const uint32x4_t blue = vshlq_n_u32(vcvtnq_u32_f32(b), 16);
        vst1q_u32(p, vorrq_u32(vorrq_u32(vcvtnq_u32_f32(r), green), blue));
    }

    static F from_integers(const float *p) { return vcvtq_f32_s32(vld1q_s32(reinterpret_cast<const std::int32_t *>(p))); }
    // Levels are signed here: the dot product takes no mixed signs.
    static void store_levels(std::uint8_t *p, F v) {
        const int16x4_t pairs = vqmovn_s32(vcvtnq_s32_f32(v));
        const int8x8_t levels = vqmovn_s16(vcombine_s16(pairs, pairs));
        const std::int32_t four = vget_lane_s32(vreinterpret_s32_s8(levels), 0);
        std::memcpy(p, &four, sizeof four);
    }
    static void store_value(float *p, F v) { store(p, v); }
    static void store_one(float *p, float v) { *p = v; }
    static void transpose(F (&v)[lanes]) {
        const float32x4x2_t low = vtrnq_f32(v[0], v[1]), high = vtrnq_f32(v[2], v[3]);
        v[0] = vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0]));
        v[1] = vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1]));
        v[2] = vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0]));
        v[3] = vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1]));
    }

private:
    // Lane number i becomes the bytes 4i, 4i + 1, 4i + 2, 4i + 3.
    static uint8x16_t byte_index(uint32x4_t lane) {
        return vreinterpretq_u8_u32(vmlaq_n_u32(vdupq_n_u32(0x03020100u), lane, 0x04040404u));
    }
};

}  // namespace
