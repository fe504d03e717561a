// A lane's adjacent channels as int8 in memory: a level times its tensor's scale is a value. 4 are 4 bytes, 8 are 8.
#pragma once

#include "halves.h"

namespace levels {

template <int tiles> struct Packed;
template <> struct Packed<4> {
    typedef Word2 Words;
};
template <> struct Packed<2> {
    typedef unsigned Words;
};

// `inverse`: one over the scale.
template <bool relu> DEVICE int level(float v, float inverse) {
    return gpu::nearest((relu ? gpu::positive(v) : v) * inverse);
}
template <bool relu> DEVICE unsigned four(const float *v, float inverse) {
    return gpu::signed_bytes(level<relu>(v[0], inverse), level<relu>(v[1], inverse), level<relu>(v[2], inverse),
                             level<relu>(v[3], inverse));
}
template <bool relu> DEVICE Word2 pack(const products::Channels<4> &v, float inverse) {
    return {four<relu>(v.at, inverse), four<relu>(v.at + 4, inverse)};
}
template <bool relu> DEVICE unsigned pack(const products::Channels<2> &v, float inverse) {
    return four<relu>(v.at, inverse);
}

// Eight halves.
DEVICE Word2 quantise(const Word4 &q, float inverse) {
    const float v[8] = {gpu::low_half(q.x), gpu::high_half(q.x), gpu::low_half(q.y), gpu::high_half(q.y),
                        gpu::low_half(q.z), gpu::high_half(q.z), gpu::low_half(q.w), gpu::high_half(q.w)};
    return {four<false>(v, inverse), four<false>(v + 4, inverse)};
}

}  // namespace levels
