// What becomes of a block's sums: the ReLU or the residual stream, and the next convolution's input. The including
// source has defined Vector.
#pragma once

#include "common/bf16.h"
#include "common/inline.h"
#include "encoder/kernel.h"

namespace {

using esr::Convolution;
using esr::Finish;
using esr::Format;
using esr::Strip;

using Real = Vector::F;
constexpr int kLanes = Vector::lanes;

// Where a block's results go; pointers are those of its first pixel and channel, pitches count values a pixel.
struct Target {
    const float *addend;
    float *sum;
    void *out;
    const float *scale;
    int pitch;
    int sums_pitch;
    float floor, to_levels, zero;
};

// Rows that another convolution reads, and the lines that are transformed afterwards.
struct FloatRow {
    using Value = float;
    template <int V>
    static ESR_INLINE void store(void *out, std::ptrdiff_t at, const Real (&v)[V], const Target &) {
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j) Vector::store(static_cast<float *>(out) + at + j * kLanes, v[j]);
    }
};

struct Int8Row {
    template <int V>
    static ESR_INLINE void store(void *out, std::ptrdiff_t at, const Real (&v)[V], const Target &t) {
        const Real factor = Vector::broadcast(t.to_levels), zero = Vector::broadcast(t.zero);
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j)
            Vector::store_levels(static_cast<std::uint8_t *>(out) + at + j * kLanes, Vector::fma(v[j], factor, zero));
    }
};

struct Int16Row {
    template <int V, class Any = Vector>
    static ESR_INLINE void store(void *out, std::ptrdiff_t at, const Real (&v)[V], const Target &t) {
        if constexpr (Any::int16) {
            const Real factor = Vector::broadcast(t.to_levels);
#pragma GCC unroll 8
            for (int j = 0; j < V; ++j)
                Any::store_words(static_cast<std::int16_t *>(out) + at + j * kLanes, Vector::mul(v[j], factor));
        }
    }
};

struct Bf16Row {
    template <int V, class Any = Vector>
    static ESR_INLINE void store(void *out, std::ptrdiff_t at, const Real (&v)[V], const Target &) {
        if constexpr (Any::bf16) Any::store_bf16(static_cast<esr::Bf16 *>(out) + at, v);
    }
};

// A residual stream that is transformed as a whole row later.
struct NoRow {
    template <int V>
    static ESR_INLINE void store(void *, std::ptrdiff_t, const Real (&)[V], const Target &) {}
};

template <bool Int8, int V>
ESR_INLINE void load_sums(const float *sums, const float *scale, Real (&v)[V]) {
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j)
        v[j] = Int8 ? Vector::mul(Vector::from_integers(sums + j * kLanes), Vector::load(scale + j * kLanes))
                    : Vector::load(sums + j * kLanes);
}

template <bool Int8, Finish kFinish, class Row, int V>
ESR_INLINE void finish_pixels(const float *sums, int from, int to, const Target &t) {
    for (int i = from; i < to; ++i) {
        const std::ptrdiff_t at = std::ptrdiff_t(i) * t.pitch;
        Real v[V];
        load_sums<Int8, V>(sums + i * t.sums_pitch, t.scale, v);
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j) {
            if (kFinish == Finish::Clip) v[j] = Vector::at_least(v[j], Vector::broadcast(t.floor));
            if (kFinish == Finish::Add) v[j] = Vector::add(v[j], Vector::load(t.addend + at + j * kLanes));
            if (kFinish != Finish::Clip) Vector::store(t.sum + at + j * kLanes, v[j]);
        }
        Row::template store<V>(t.out, at, v, t);
    }
}

using FinishPixels = void (*)(const float *sums, int from, int to, const Target &target);

template <bool Int8, Finish kFinish, class Row, int V>
ESR_NOINLINE void finish_block(const float *sums, int from, int to, const Target &target) {
    finish_pixels<Int8, kFinish, Row, V>(sums, from, to, target);
}

template <bool Int8, Finish kFinish, int V>
FinishPixels finish_into(const Convolution &c) {
    if (c.maps) return finish_block<Int8, kFinish, FloatRow, V>;
    switch (c.output) {
        case Format::Int8: return finish_block<Int8, kFinish, Int8Row, V>;
        case Format::Int16: return finish_block<Int8, kFinish, Int16Row, V>;
        case Format::Bf16: return finish_block<Int8, kFinish, Bf16Row, V>;
        case Format::Winograd:
            // The residual stream is the line that is transformed.
            if (kFinish != Finish::Clip) return finish_block<Int8, kFinish, NoRow, V>;
            return finish_block<Int8, kFinish, FloatRow, V>;
        default: return finish_block<Int8, kFinish, FloatRow, V>;
    }
}

template <bool Int8, int V>
FinishPixels finish_of(const Convolution &c) {
    switch (c.finish) {
        case Finish::Keep: return finish_into<Int8, Finish::Keep, V>(c);
        case Finish::Add: return finish_into<Int8, Finish::Add, V>(c);
        default: return finish_into<Int8, Finish::Clip, V>(c);
    }
}

}  // namespace
