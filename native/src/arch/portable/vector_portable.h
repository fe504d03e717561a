// Four pixels a vector in plain C++, for any processor; compilers turn most of it into whatever vectors there are.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

struct Vector {
    static constexpr int lanes = 4;
    static constexpr bool registers = false;  // whether F is a register
    static constexpr bool bf16 = false;
    static constexpr bool int16 = false;
    struct F {
        float lane[lanes];
    };
    struct I {
        std::int32_t lane[lanes];
    };

    static F load(const float *p) { return {{p[0], p[1], p[2], p[3]}}; }
    static void store(float *p, F v) { std::memcpy(p, v.lane, sizeof v); }
    static F broadcast(float x) { return {{x, x, x, x}}; }
    static F add(F a, F b) { return each(a, b, [](float x, float y) { return x + y; }); }
    static F sub(F a, F b) { return each(a, b, [](float x, float y) { return x - y; }); }
    static F mul(F a, F b) { return each(a, b, [](float x, float y) { return x * y; }); }
    static F fma(F a, F b, F c) { return add(mul(a, b), c); }
    static F at_least(F v, F bound) { return each(v, bound, [](float x, float y) { return x > y ? x : y; }); }
    static F at_most(F v, F bound) { return each(v, bound, [](float x, float y) { return x < y ? x : y; }); }

    static I load_index(const std::int32_t *p) { return {{p[0], p[1], p[2], p[3]}}; }
    static F pick(const float *p, I i) { return {{p[i.lane[0]], p[i.lane[1]], p[i.lane[2]], p[i.lane[3]]}}; }
    static F gather(const float *p, I i) { return pick(p, i); }

    // v negated where the lowest bit of t is set.
    static F flip(F v, F t) {
        return each(v, t, [](float x, float y) { return from_bits(bits(x) ^ (bits(y) << 31)); });
    }
    static constexpr bool packs_pixels = false;
    static void store_rgb(std::uint32_t *p, F r, F g, F b) {
        for (int i = 0; i < lanes; ++i) p[i] = byte(r.lane[i]) | byte(g.lane[i]) << 8 | byte(b.lane[i]) << 16;
    }

    static F from_integers(const float *p) {
        std::int32_t n[lanes];
        std::memcpy(n, p, sizeof n);
        return {{float(n[0]), float(n[1]), float(n[2]), float(n[3])}};
    }
    static void store_levels(std::uint8_t *p, F v) {
        for (int i = 0; i < lanes; ++i) {
            const float level = std::nearbyint(v.lane[i]);
            p[i] = static_cast<std::uint8_t>(level < 0.0f ? 0.0f : level > 255.0f ? 255.0f : level);
        }
    }
    static void store_value(float *p, F v) { store(p, v); }
    static void store_one(float *p, float v) { *p = v; }
    static void transpose(F (&v)[lanes]) {
        for (int i = 0; i < lanes; ++i)
            for (int j = 0; j < i; ++j) {
                const float held = v[i].lane[j];
                v[i].lane[j] = v[j].lane[i];
                v[j].lane[i] = held;
            }
    }

private:
    template <class Operation>
    static F each(F a, F b, Operation operation) {
        F result;
        for (int i = 0; i < lanes; ++i) result.lane[i] = operation(a.lane[i], b.lane[i]);
        return result;
    }
    static std::uint32_t bits(float x) {
        std::uint32_t word;
        std::memcpy(&word, &x, sizeof word);
        return word;
    }
    static float from_bits(std::uint32_t word) {
        float x;
        std::memcpy(&x, &word, sizeof x);
        return x;
    }
    static std::uint32_t byte(float x) { return static_cast<std::uint32_t>(std::nearbyint(x)); }
};

}  // namespace
